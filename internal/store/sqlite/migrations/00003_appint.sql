-- +goose Up
-- AppIntegrations. Numbers give the order of lists and are never used again. Times are Unix nanoseconds, 0 for none.

CREATE TABLE data_integration (
  number               INTEGER PRIMARY KEY AUTOINCREMENT,
  id                   TEXT NOT NULL UNIQUE,
  arn                  TEXT NOT NULL,
  name                 TEXT NOT NULL UNIQUE,
  description          TEXT NOT NULL,
  kms_key              TEXT NOT NULL,
  source_uri           TEXT NOT NULL,
  schedule_expression  TEXT NOT NULL,
  first_execution_from TEXT NOT NULL,
  schedule_object      TEXT NOT NULL,
  folders              TEXT NOT NULL,
  filters              TEXT NOT NULL,
  objects              TEXT NOT NULL,
  tags                 TEXT NOT NULL,
  associated           INTEGER NOT NULL, -- there is or was an association
  created              INTEGER NOT NULL
) STRICT;

CREATE TABLE data_association (
  number               INTEGER PRIMARY KEY AUTOINCREMENT,
  id                   TEXT NOT NULL UNIQUE,
  arn                  TEXT NOT NULL,
  integration_id       TEXT NOT NULL REFERENCES data_integration (id),
  client_id            TEXT NOT NULL,
  objects              TEXT NOT NULL,
  metadata             TEXT NOT NULL,
  mode                 TEXT NOT NULL,
  start_time           TEXT NOT NULL,
  end_time             TEXT NOT NULL,
  schedule_expression  TEXT NOT NULL, -- as its creator gave it
  first_execution_from TEXT NOT NULL,
  schedule_object      TEXT NOT NULL,
  name                 TEXT NOT NULL, -- of the data integration
  source_uri           TEXT NOT NULL,
  destination_uri      TEXT NOT NULL,
  object               TEXT NOT NULL,
  plan_objects         TEXT NOT NULL, -- as carried out
  folders              TEXT NOT NULL,
  filters              TEXT NOT NULL,
  last_execution       TEXT NOT NULL,
  last_status          TEXT NOT NULL,
  last_message         TEXT NOT NULL,
  tags                 TEXT NOT NULL,
  created              INTEGER NOT NULL,
  expression           TEXT NOT NULL, -- what drives it
  anchor               INTEGER NOT NULL,
  next_due             INTEGER NOT NULL,
  since                INTEGER NOT NULL
) STRICT;
CREATE INDEX data_association_by_integration ON data_association (integration_id, number);
CREATE INDEX data_association_due ON data_association (next_due) WHERE next_due > 0;

-- An execution may outlive its association, until whoever runs it has stopped.
CREATE TABLE execution (
  number          INTEGER PRIMARY KEY AUTOINCREMENT,
  id              TEXT NOT NULL UNIQUE,
  association_id  TEXT NOT NULL,
  integration_id  TEXT NOT NULL,
  trigger_kind    TEXT NOT NULL,
  status          TEXT NOT NULL,
  message         TEXT NOT NULL,
  name            TEXT NOT NULL,
  source_uri      TEXT NOT NULL,
  destination_uri TEXT NOT NULL,
  object          TEXT NOT NULL,
  plan_objects    TEXT NOT NULL,
  folders         TEXT NOT NULL,
  filters         TEXT NOT NULL,
  window_from     INTEGER NOT NULL,
  window_to       INTEGER NOT NULL,
  incremental     INTEGER NOT NULL,
  not_before      INTEGER NOT NULL,
  requested       INTEGER NOT NULL,
  started         INTEGER NOT NULL,
  ended           INTEGER NOT NULL,
  attempts        INTEGER NOT NULL,
  cancel          INTEGER NOT NULL,
  files           INTEGER NOT NULL,
  files_total     INTEGER NOT NULL,
  rows            INTEGER NOT NULL,
  rows_total      INTEGER NOT NULL,
  bytes           INTEGER NOT NULL,
  bytes_total     INTEGER NOT NULL,
  mark            BLOB NOT NULL -- the runner's own
) STRICT;
CREATE INDEX execution_by_association ON execution (association_id, number);
CREATE INDEX execution_waiting ON execution (not_before) WHERE status = 'WAITING';
CREATE INDEX execution_running ON execution (association_id) WHERE status = 'RUNNING';

CREATE TABLE event_integration (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL UNIQUE,
  arn         TEXT NOT NULL,
  description TEXT NOT NULL,
  source      TEXT NOT NULL,
  bus         TEXT NOT NULL,
  tags        TEXT NOT NULL,
  created     INTEGER NOT NULL
) STRICT;

CREATE TABLE event_association (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  arn         TEXT NOT NULL,
  integration TEXT NOT NULL REFERENCES event_integration (name),
  client_id   TEXT NOT NULL,
  rule        TEXT NOT NULL,
  metadata    TEXT NOT NULL,
  tags        TEXT NOT NULL,
  created     INTEGER NOT NULL
) STRICT;
CREATE INDEX event_association_by_integration ON event_association (integration, number);

CREATE TABLE application (
  number           INTEGER PRIMARY KEY AUTOINCREMENT,
  id               TEXT NOT NULL UNIQUE,
  arn              TEXT NOT NULL,
  name             TEXT NOT NULL UNIQUE,
  namespace        TEXT NOT NULL UNIQUE,
  description      TEXT NOT NULL,
  access_url       TEXT NOT NULL,
  origins          TEXT NOT NULL,
  subscriptions    TEXT NOT NULL,
  publications     TEXT NOT NULL,
  permissions      TEXT NOT NULL,
  is_service       INTEGER NOT NULL,
  timeout          INTEGER NOT NULL, -- milliseconds
  contact_handling TEXT NOT NULL,
  iframe_allow     TEXT NOT NULL,
  iframe_sandbox   TEXT NOT NULL,
  type             TEXT NOT NULL,
  tags             TEXT NOT NULL,
  created          INTEGER NOT NULL,
  modified         INTEGER NOT NULL
) STRICT;

CREATE TABLE application_association (
  number         INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT NOT NULL UNIQUE,
  arn            TEXT NOT NULL,
  application_id TEXT NOT NULL REFERENCES application (id),
  client_id      TEXT NOT NULL,
  tags           TEXT NOT NULL,
  created        INTEGER NOT NULL
) STRICT;
CREATE INDEX application_association_by_application ON application_association (application_id, number);

-- Client tokens of what exists, so that a call that is repeated finds what it made.
CREATE TABLE client_token (
  operation TEXT NOT NULL,
  value     TEXT NOT NULL,
  digest    TEXT NOT NULL,
  resource  TEXT NOT NULL,
  PRIMARY KEY (operation, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX client_token_by_resource ON client_token (resource);
