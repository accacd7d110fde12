-- +goose Up
-- Times are Unix nanoseconds, 0 for none. Durations are nanoseconds. Lists and maps are JSON, '' for none.

CREATE TABLE integration (
  id                 TEXT PRIMARY KEY,
  arn                TEXT NOT NULL UNIQUE,
  name               TEXT NOT NULL UNIQUE,
  source_arn         TEXT NOT NULL,
  target_arn         TEXT NOT NULL,
  warehouse_id       TEXT NOT NULL,
  kind               TEXT NOT NULL,
  status             TEXT NOT NULL,
  problems           TEXT NOT NULL,
  description        TEXT NOT NULL,
  kms_key_id         TEXT NOT NULL,
  encryption_context TEXT NOT NULL,
  tags               TEXT NOT NULL,
  owner              TEXT NOT NULL,
  created            INTEGER NOT NULL,
  UNIQUE (source_arn, warehouse_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
  warehouse_id TEXT PRIMARY KEY,
  resource_arn TEXT NOT NULL,
  text         TEXT NOT NULL,
  updated      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE warehouse (
  id             TEXT PRIMARY KEY,
  engine         TEXT NOT NULL,
  first_database TEXT NOT NULL,
  state          TEXT NOT NULL,
  error          TEXT NOT NULL,
  created        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cluster (
  identifier                TEXT PRIMARY KEY,
  warehouse_id              TEXT NOT NULL REFERENCES warehouse ON DELETE CASCADE,
  node_type                 TEXT NOT NULL,
  number_of_nodes           INTEGER NOT NULL,
  master_username           TEXT NOT NULL,
  master_password           BLOB NOT NULL, -- sealed
  manage_password           INTEGER NOT NULL,
  first_database            TEXT NOT NULL,
  port                      INTEGER NOT NULL,
  encrypted                 INTEGER NOT NULL,
  kms_key_id                TEXT NOT NULL,
  publicly_accessible       INTEGER NOT NULL,
  allow_version_upgrade     INTEGER NOT NULL,
  enhanced_vpc_routing      INTEGER NOT NULL,
  multi_az                  INTEGER NOT NULL,
  version                   TEXT NOT NULL,
  availability_zone         TEXT NOT NULL,
  maintenance_window        TEXT NOT NULL,
  maintenance_track         TEXT NOT NULL,
  subnet_group              TEXT NOT NULL,
  parameter_group           TEXT NOT NULL,
  ip_address_type           TEXT NOT NULL,
  default_iam_role          TEXT NOT NULL,
  aqua_status               TEXT NOT NULL,
  snapshot_retention        INTEGER NOT NULL,
  manual_snapshot_retention INTEGER NOT NULL,
  security_groups           TEXT NOT NULL,
  vpc_security_groups       TEXT NOT NULL,
  iam_roles                 TEXT NOT NULL,
  tags                      TEXT NOT NULL,
  created                   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_by_warehouse ON cluster (warehouse_id);

CREATE TABLE namespace (
  name             TEXT PRIMARY KEY,
  warehouse_id     TEXT NOT NULL REFERENCES warehouse ON DELETE CASCADE,
  admin_username   TEXT NOT NULL,
  admin_password   BLOB NOT NULL, -- sealed
  manage_password  INTEGER NOT NULL,
  first_database   TEXT NOT NULL,
  kms_key_id       TEXT NOT NULL,
  default_iam_role TEXT NOT NULL,
  iam_roles        TEXT NOT NULL,
  log_exports      TEXT NOT NULL,
  tags             TEXT NOT NULL,
  created          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX namespace_by_warehouse ON namespace (warehouse_id);

CREATE TABLE workgroup (
  name                 TEXT PRIMARY KEY,
  id                   TEXT NOT NULL UNIQUE,
  namespace            TEXT NOT NULL UNIQUE REFERENCES namespace ON DELETE CASCADE,
  parameters           TEXT NOT NULL,
  base_capacity        INTEGER NOT NULL,
  max_capacity         INTEGER NOT NULL,
  port                 INTEGER NOT NULL,
  publicly_accessible  INTEGER NOT NULL,
  enhanced_vpc_routing INTEGER NOT NULL,
  subnet_ids           TEXT NOT NULL,
  security_group_ids   TEXT NOT NULL,
  ip_address_type      TEXT NOT NULL,
  track_name           TEXT NOT NULL,
  tags                 TEXT NOT NULL,
  created              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE partner (
  cluster        TEXT NOT NULL REFERENCES cluster ON DELETE CASCADE ON UPDATE CASCADE,
  database       TEXT NOT NULL,
  name           TEXT NOT NULL,
  status         TEXT NOT NULL,
  status_message TEXT NOT NULL,
  created        INTEGER NOT NULL,
  updated        INTEGER NOT NULL,
  PRIMARY KEY (cluster, database, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE copy_job (
  id           INTEGER PRIMARY KEY AUTOINCREMENT, -- so that an id is never used again
  warehouse_id TEXT NOT NULL,
  database     TEXT NOT NULL,
  name         TEXT NOT NULL,
  schema_name  TEXT NOT NULL,
  table_name   TEXT NOT NULL,
  spec         TEXT NOT NULL,
  bucket       TEXT NOT NULL,
  prefix       TEXT NOT NULL,
  iam_role     TEXT NOT NULL,
  statement    TEXT NOT NULL,
  auto         INTEGER NOT NULL,
  owner        TEXT NOT NULL,
  created_by   TEXT NOT NULL,
  created      INTEGER NOT NULL,
  runs         INTEGER NOT NULL,
  runs_done    INTEGER NOT NULL,
  run_error    TEXT NOT NULL,
  UNIQUE (warehouse_id, database, name)
) STRICT;

CREATE TABLE copy_job_message (
  number   INTEGER PRIMARY KEY AUTOINCREMENT, -- the order they were added in
  job_id   INTEGER NOT NULL REFERENCES copy_job ON DELETE CASCADE,
  job_name TEXT NOT NULL,
  database TEXT NOT NULL,
  time     INTEGER NOT NULL,
  text     TEXT NOT NULL
) STRICT;
CREATE INDEX copy_job_message_by_job ON copy_job_message (job_id, number);

CREATE TABLE statement (
  id                 TEXT PRIMARY KEY,
  warehouse_id       TEXT NOT NULL,
  cluster            TEXT NOT NULL,
  workgroup          TEXT NOT NULL,
  database           TEXT NOT NULL,
  user               TEXT NOT NULL,
  db_user            TEXT NOT NULL,
  secret_arn         TEXT NOT NULL,
  name               TEXT NOT NULL,
  owner              TEXT NOT NULL,
  client_token       TEXT NOT NULL,
  session_id         TEXT NOT NULL,
  session_keep_alive INTEGER NOT NULL,
  batch              INTEGER NOT NULL,
  format             TEXT NOT NULL,
  parameters         TEXT NOT NULL,
  status             TEXT NOT NULL,
  error              TEXT NOT NULL,
  created            INTEGER NOT NULL,
  updated            INTEGER NOT NULL,
  duration           INTEGER NOT NULL,
  query_id           INTEGER NOT NULL,
  pid                INTEGER NOT NULL,
  cancel_requested   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX statement_in_order ON statement (created DESC, id);
CREATE INDEX statement_by_status ON statement (status, created DESC, id);
CREATE INDEX statement_by_session ON statement (session_id, created DESC, id) WHERE session_id <> '';
CREATE UNIQUE INDEX statement_by_token ON statement (owner, client_token) WHERE client_token <> '';

CREATE TABLE statement_part (
  statement_id   TEXT NOT NULL REFERENCES statement ON DELETE CASCADE,
  number         INTEGER NOT NULL, -- from 0
  sql            TEXT NOT NULL,
  status         TEXT NOT NULL,
  error          TEXT NOT NULL,
  created        INTEGER NOT NULL,
  updated        INTEGER NOT NULL,
  duration       INTEGER NOT NULL,
  has_result_set INTEGER NOT NULL,
  rows           INTEGER NOT NULL,
  size           INTEGER NOT NULL,
  query_id       INTEGER NOT NULL,
  columns        TEXT NOT NULL,
  PRIMARY KEY (statement_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE statement_page (
  statement_id TEXT NOT NULL REFERENCES statement ON DELETE CASCADE,
  part         INTEGER NOT NULL, -- from 0
  number       INTEGER NOT NULL, -- from 0
  content      BLOB NOT NULL,    -- begins with the version of its form
  PRIMARY KEY (statement_id, part, number)
) STRICT;

-- What is remembered of statements that have expired.
CREATE TABLE statement_forgotten (
  id   TEXT PRIMARY KEY,
  done INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX statement_forgotten_by_time ON statement_forgotten (done);

CREATE TABLE bucket_document (
  bucket  TEXT NOT NULL,
  kind    TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (bucket, kind)
) STRICT;
