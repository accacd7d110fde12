-- +goose Up
-- Action connectors: what they are, the grants of their users, and the calls of their actions.

CREATE TABLE action_connector (
  id                     TEXT PRIMARY KEY,
  arn                    TEXT NOT NULL,
  name                   TEXT NOT NULL UNIQUE,
  description            TEXT NOT NULL,
  type                   TEXT NOT NULL,
  auth_type              TEXT NOT NULL,
  base_endpoint          TEXT NOT NULL,
  client_id              TEXT NOT NULL,
  token_endpoint         TEXT NOT NULL,
  authorization_endpoint TEXT NOT NULL,
  redirect_url           TEXT NOT NULL,
  credentials_source     TEXT NOT NULL,
  username               TEXT NOT NULL,
  email                  TEXT NOT NULL,
  role_arn               TEXT NOT NULL,
  secret                 BLOB NOT NULL, -- sealed
  vpc_connection_arn     TEXT NOT NULL,
  restricted             INTEGER NOT NULL,
  enabled_actions        TEXT NOT NULL,
  status                 TEXT NOT NULL,
  error                  TEXT NOT NULL,
  unverified             TEXT NOT NULL,
  permissions            TEXT NOT NULL,
  tags                   TEXT NOT NULL,
  owner                  TEXT NOT NULL,
  created                INTEGER NOT NULL,
  updated                INTEGER NOT NULL,
  revision               INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Searches by a part of the name or type walk this instead of the rows.
CREATE INDEX action_connector_words ON action_connector (id, name, type);
CREATE INDEX action_connector_by_type ON action_connector (type, id);
CREATE INDEX action_connector_by_vpc ON action_connector (vpc_connection_arn) WHERE vpc_connection_arn <> '';
CREATE INDEX action_connector_in_progress ON action_connector (id) WHERE status IN ('CREATION_IN_PROGRESS', 'UPDATE_IN_PROGRESS');

-- Who has a permission: what action_connector.permissions says, by principal.
CREATE TABLE action_access (
  principal    TEXT NOT NULL,
  connector_id TEXT NOT NULL REFERENCES action_connector ON DELETE CASCADE,
  owner        INTEGER NOT NULL,
  PRIMARY KEY (principal, connector_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX action_access_by_connector ON action_access (connector_id, owner);

CREATE TABLE action_vpc_connection (
  id                 TEXT PRIMARY KEY,
  arn                TEXT NOT NULL,
  name               TEXT NOT NULL,
  subnet_ids         TEXT NOT NULL,
  security_group_ids TEXT NOT NULL,
  dns_resolvers      TEXT NOT NULL,
  role_arn           TEXT NOT NULL,
  status             TEXT NOT NULL,
  tags               TEXT NOT NULL,
  created            INTEGER NOT NULL,
  updated            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE action_grant (
  connector_id TEXT NOT NULL REFERENCES action_connector ON DELETE CASCADE,
  user         TEXT NOT NULL, -- '' for the shared one
  id           TEXT NOT NULL UNIQUE,
  state        TEXT NOT NULL,
  reason       TEXT NOT NULL,
  tokens       BLOB NOT NULL, -- sealed
  access       TEXT NOT NULL,
  client       TEXT NOT NULL,
  scope        TEXT NOT NULL,
  expires      INTEGER NOT NULL,
  created      INTEGER NOT NULL,
  updated      INTEGER NOT NULL,
  signed_in    INTEGER NOT NULL,
  refreshed    INTEGER NOT NULL,
  PRIMARY KEY (connector_id, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX action_grant_idle ON action_grant (updated, id) WHERE state = 'active';

CREATE TABLE action_sign_in (
  connector_id TEXT NOT NULL REFERENCES action_connector ON DELETE CASCADE,
  user         TEXT NOT NULL,
  digest       TEXT NOT NULL UNIQUE,
  secret       BLOB NOT NULL, -- sealed
  redirect     TEXT NOT NULL,
  client       TEXT NOT NULL,
  started_by   TEXT NOT NULL,
  created      INTEGER NOT NULL,
  expires      INTEGER NOT NULL,
  PRIMARY KEY (connector_id, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX action_sign_in_by_end ON action_sign_in (expires);

CREATE TABLE action_document (
  connector_id TEXT PRIMARY KEY REFERENCES action_connector ON DELETE CASCADE,
  content      BLOB NOT NULL,
  updated      INTEGER NOT NULL
) STRICT;

-- Claims, approvals and records outlive the connector they are about.
CREATE TABLE action_claim (
  scope   TEXT NOT NULL,
  key     TEXT NOT NULL,
  digest  TEXT NOT NULL,
  state   TEXT NOT NULL,
  call_id TEXT NOT NULL,
  result  BLOB NOT NULL, -- sealed
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX action_claim_by_end ON action_claim (expires);
CREATE INDEX action_claim_running ON action_claim (scope, key) WHERE state = 'running';

CREATE TABLE action_approval (
  id           TEXT PRIMARY KEY,
  connector_id TEXT NOT NULL,
  action_id    TEXT NOT NULL,
  user         TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  content      BLOB NOT NULL, -- sealed
  digest       TEXT NOT NULL,
  state        TEXT NOT NULL,
  reason       TEXT NOT NULL,
  decided_by   TEXT NOT NULL,
  call_id      TEXT NOT NULL,
  result       BLOB NOT NULL, -- sealed
  created      INTEGER NOT NULL,
  expires      INTEGER NOT NULL,
  decided      INTEGER NOT NULL
) STRICT;
CREATE INDEX action_approval_by_state ON action_approval (state, id);
CREATE INDEX action_approval_by_connector ON action_approval (connector_id, id);

CREATE TABLE action_record (
  id           TEXT PRIMARY KEY,
  time         INTEGER NOT NULL,
  request_id   TEXT NOT NULL,
  caller       TEXT NOT NULL,
  user         TEXT NOT NULL,
  connector_id TEXT NOT NULL,
  type         TEXT NOT NULL,
  action_id    TEXT NOT NULL,
  write        INTEGER NOT NULL,
  identity     TEXT NOT NULL,
  arguments    TEXT NOT NULL,
  digest       TEXT NOT NULL,
  outcome      TEXT NOT NULL,
  code         TEXT NOT NULL,
  message      TEXT NOT NULL,
  status       INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  duration     INTEGER NOT NULL,
  approval_id  TEXT NOT NULL,
  decided_by   TEXT NOT NULL
) STRICT;
CREATE INDEX action_record_in_order ON action_record (time DESC, id DESC);
CREATE INDEX action_record_by_connector ON action_record (connector_id, time DESC, id DESC);
CREATE INDEX action_record_started ON action_record (id) WHERE outcome = 'STARTED';
