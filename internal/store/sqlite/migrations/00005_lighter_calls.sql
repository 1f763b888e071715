-- +goose Up
-- What every call changes becomes lighter: SQLite fills a table of its own for each IN with more than two values in a check or
-- in the condition of an index, each time a row changes. So the alternatives are spelt out. And a call that is under
-- way leaves the row of its delivery, whose pages then hold more.

CREATE TABLE new_publications (
  id          INTEGER PRIMARY KEY,
  post        INTEGER NOT NULL REFERENCES posts (id),
  channel     TEXT NOT NULL,
  destination TEXT NOT NULL,
  chat        TEXT NOT NULL DEFAULT '',
  version     INTEGER NOT NULL DEFAULT 1,
  want        INTEGER NOT NULL,
  gone        INTEGER NOT NULL DEFAULT 0,
  purge       INTEGER NOT NULL DEFAULT 0,
  have        INTEGER NOT NULL DEFAULT 0,
  have_gone   INTEGER NOT NULL DEFAULT 0,
  rung        INTEGER NOT NULL DEFAULT 0,
  state       TEXT NOT NULL DEFAULT 'open' CHECK (
    state = 'done' OR state = 'open' OR state = 'listed' OR state = 'left' OR state = 'failed' OR state = 'expired' OR state = 'dropped' OR state = 'held'),
  reason      TEXT NOT NULL DEFAULT '',
  out_at      INTEGER NOT NULL DEFAULT 0,
  edited_at   INTEGER NOT NULL DEFAULT 0,
  expires_at  INTEGER NOT NULL DEFAULT 0,
  released    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (post, destination, chat)
) STRICT;

CREATE TABLE new_parts (
  publication INTEGER NOT NULL REFERENCES new_publications (id),
  series      TEXT NOT NULL CHECK (series IN ('post', 'reply')),
  position    INTEGER NOT NULL,
  ids         TEXT NOT NULL,
  url         TEXT NOT NULL DEFAULT '',
  ref_state   BLOB NOT NULL DEFAULT x'',
  digest      TEXT NOT NULL,
  revision    INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (publication, series, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE new_deliveries (
  id          INTEGER PRIMARY KEY,
  lane        TEXT NOT NULL DEFAULT 'channel' CHECK (lane = 'channel' OR lane = 'direct' OR lane = 'answer'),
  publication INTEGER REFERENCES new_publications (id),
  destination TEXT NOT NULL,
  chat        TEXT NOT NULL DEFAULT '',
  priority    INTEGER NOT NULL DEFAULT 1,      -- 0: withdrawals and urgent posts, which go first
  state       TEXT NOT NULL DEFAULT 'pending' CHECK (
    state = 'sent' OR state = 'pending' OR state = 'started' OR state = 'unknown' OR state = 'held' OR state = 'awaiting_person' OR
    state = 'failed' OR state = 'suppressed' OR state = 'expired' OR state = 'dropped'),
  reason      TEXT NOT NULL DEFAULT '',
  op          TEXT NOT NULL DEFAULT '',
  series      TEXT NOT NULL DEFAULT '',
  position    INTEGER NOT NULL DEFAULT 0,
  revision    INTEGER NOT NULL DEFAULT 0,
  key         TEXT NOT NULL DEFAULT '',
  final       INTEGER NOT NULL DEFAULT 0,
  attempt     INTEGER NOT NULL DEFAULT 0,
  crashes     INTEGER NOT NULL DEFAULT 0,       -- how often the daemon ended while it was under way
  next_at     INTEGER NOT NULL,
  batch       INTEGER REFERENCES batches (id) ON DELETE SET NULL,
  code        TEXT NOT NULL DEFAULT '',
  error       TEXT NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  first_at    INTEGER NOT NULL DEFAULT 0,       -- when this very call was first started
  started_at  INTEGER NOT NULL DEFAULT 0,
  settled_at  INTEGER NOT NULL DEFAULT 0,
  CHECK (lane <> 'channel' OR publication IS NOT NULL),
  CHECK ((state = 'sent' OR state = 'failed' OR state = 'suppressed' OR state = 'expired' OR state = 'dropped') = (settled_at > 0))
) STRICT;

INSERT INTO new_publications (id, post, channel, destination, chat, version, want, gone, purge, have, have_gone, rung, state, reason, out_at, edited_at, expires_at, released) SELECT id, post, channel, destination, chat, version, want, gone, purge, have, have_gone, rung, state, reason, out_at, edited_at, expires_at, released FROM publications;
INSERT INTO new_parts (publication, series, position, ids, url, ref_state, digest, revision, at) SELECT publication, series, position, ids, url, ref_state, digest, revision, at FROM parts;
INSERT INTO new_deliveries (id, lane, publication, destination, chat, priority, state, reason, op, series, position, revision, key, final, attempt, crashes, next_at, batch, code, error, created_at, first_at, started_at, settled_at) SELECT id, lane, publication, destination, chat, priority, state, reason, op, series, position, revision, key, final, attempt, crashes, next_at, batch, code, error, created_at, first_at, started_at, settled_at FROM deliveries;

CREATE TABLE calls (                            -- what a delivery calls, while it is under way, unknown or to be repeated
  id       INTEGER PRIMARY KEY,
  delivery INTEGER NOT NULL UNIQUE REFERENCES new_deliveries (id) ON DELETE CASCADE,
  call     TEXT NOT NULL,
  request  BLOB NOT NULL
) STRICT;
INSERT INTO calls (delivery, call, request) SELECT id, call, x'' FROM deliveries WHERE call <> '';

-- The children go first, so that nothing refers to what is dropped; renaming follows the references.
DROP TABLE deliveries;
DROP TABLE parts;
DROP TABLE publications;
ALTER TABLE new_publications RENAME TO publications;
ALTER TABLE new_parts RENAME TO parts;
ALTER TABLE new_deliveries RENAME TO deliveries;

CREATE INDEX publications_ended ON publications (destination) WHERE state <> 'done' AND state <> 'open';
CREATE INDEX deliveries_due ON deliveries (destination, chat, priority, id) WHERE state = 'pending' AND batch IS NULL;
CREATE INDEX deliveries_batch ON deliveries (batch) WHERE batch IS NOT NULL;
CREATE INDEX deliveries_unknown ON deliveries (destination) WHERE state = 'unknown';
CREATE UNIQUE INDEX deliveries_open ON deliveries (publication) WHERE settled_at = 0;
