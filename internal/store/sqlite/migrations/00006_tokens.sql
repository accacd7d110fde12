-- +goose Up
-- Bearer tokens of MCP clients are sealed and not stored. Those of an earlier generation than this are good no longer.

CREATE TABLE action_token_generation (
  user       TEXT PRIMARY KEY, -- ARN; '' for the root user
  generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
