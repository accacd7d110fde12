-- +goose Up
-- Where the table of a DynamoDB integration is replicated to; no name, no destination.

ALTER TABLE integration ADD COLUMN destination_database TEXT NOT NULL DEFAULT '';
ALTER TABLE integration ADD COLUMN destination_created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE integration ADD COLUMN destination_created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration ADD COLUMN query_all_states INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration ADD COLUMN accept_inv_chars INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration ADD COLUMN truncate_columns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration ADD COLUMN refresh_interval INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration ADD COLUMN refreshes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration ADD COLUMN refreshes_done INTEGER NOT NULL DEFAULT 0;
