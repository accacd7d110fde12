-- +goose Up
-- Events on their way to the targets of their buses. Replaying gives an event no new place.

CREATE TABLE event (
  place       INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order they came in
  bus         TEXT NOT NULL,
  id          TEXT NOT NULL,
  source      TEXT NOT NULL,
  detail_type TEXT NOT NULL,
  time        INTEGER NOT NULL,
  detail      BLOB NOT NULL, -- JSON
  state       TEXT NOT NULL,
  attempts    INTEGER NOT NULL,
  due         INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  settled     INTEGER NOT NULL,
  UNIQUE (bus, id)
) STRICT;

CREATE INDEX event_due ON event (bus, due) WHERE state = 'pending';
CREATE INDEX event_settled ON event (settled) WHERE state = 'delivered';
CREATE INDEX event_state ON event (state, bus);
