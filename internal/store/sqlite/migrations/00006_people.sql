-- +goose Up
-- People. Who they are (subscribers), where they are reached (addresses, sealed under a key of their own), what they agreed
-- to (grants), what must never happen again (suppressions, by keyed hash), and what was written to them (messages).
-- Only what belongs to consent reads addresses, person_keys and signups.

CREATE TABLE subscribers (
  id           INTEGER PRIMARY KEY,
  ref          TEXT    NOT NULL UNIQUE,           -- what commands and links call them
  external     TEXT    NOT NULL DEFAULT '',       -- keyed hash of the reference by which notices name them
  lang         TEXT    NOT NULL DEFAULT '',
  zone         TEXT    NOT NULL DEFAULT '',
  quiet_from   TEXT    NOT NULL DEFAULT '',
  quiet_until  TEXT    NOT NULL DEFAULT '',
  paused_until INTEGER NOT NULL DEFAULT 0,
  per_day      INTEGER NOT NULL DEFAULT 0,
  created_at   INTEGER NOT NULL,
  signal_at    INTEGER NOT NULL DEFAULT 0,        -- when they last showed that they are there
  asked_at     INTEGER NOT NULL DEFAULT 0,        -- when they were last asked whether they still read
  import       INTEGER NOT NULL DEFAULT 0,
  erased_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX subscribers_external ON subscribers (external) WHERE external <> '';

CREATE TABLE person_keys (
  person INTEGER PRIMARY KEY REFERENCES subscribers (id),
  master TEXT NOT NULL,                           -- the master key that sealed it
  sealed BLOB NOT NULL
) STRICT;

CREATE TABLE addresses (
  id          INTEGER PRIMARY KEY,
  person      INTEGER NOT NULL REFERENCES subscribers (id),
  medium      TEXT    NOT NULL,
  hash        TEXT    NOT NULL,                   -- keyed hash of medium and address
  sealed      BLOB    NOT NULL,
  verified_at INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  UNIQUE (medium, hash),
  UNIQUE (person, medium)
) STRICT;

CREATE TABLE grants (
  id         INTEGER PRIMARY KEY,
  person     INTEGER NOT NULL REFERENCES subscribers (id),
  kind       TEXT    NOT NULL CHECK (kind = 'channel' OR kind = 'notice'),
  name       TEXT    NOT NULL,
  medium     TEXT    NOT NULL,
  state      TEXT    NOT NULL CHECK (state = 'active' OR state = 'pending' OR state = 'withdrawn' OR state = 'expired'),
  version    INTEGER NOT NULL DEFAULT 1,          -- another one after each end: what was made before it does not leave after it
  mode       TEXT    NOT NULL DEFAULT 'instant' CHECK (mode = 'instant' OR mode = 'digest'),
  slots      TEXT    NOT NULL DEFAULT '[]',
  topics     TEXT    NOT NULL DEFAULT '[]',
  languages  TEXT    NOT NULL DEFAULT '[]',
  breaking   INTEGER NOT NULL DEFAULT 0,
  since      INTEGER NOT NULL DEFAULT 0,
  changed_at INTEGER NOT NULL,
  covered    INTEGER NOT NULL DEFAULT 0,          -- posts shown until then were in a digest
  UNIQUE (person, kind, name, medium)
) STRICT;
CREATE INDEX grants_audience ON grants (kind, name, medium, person, mode, since, version) WHERE state = 'active'; -- all that a fan-out reads
CREATE INDEX grants_pending ON grants (changed_at) WHERE state = 'pending';

CREATE TABLE suppressions (
  medium TEXT NOT NULL,
  hash   TEXT NOT NULL,
  scope  TEXT NOT NULL CHECK (scope = 'all' OR scope = 'never' OR scope = 'purpose'),
  name   TEXT NOT NULL DEFAULT '',                -- of the purpose
  reason TEXT NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (medium, hash, scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE signups (                            -- wishes of anybody, until somebody has looked at them
  id      INTEGER PRIMARY KEY,
  medium  TEXT    NOT NULL,
  hash    TEXT    NOT NULL,
  sealed  BLOB    NOT NULL,
  wish    BLOB    NOT NULL,                       -- sealed too
  at      INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  hash       TEXT    PRIMARY KEY,                 -- of the token, which nobody keeps
  person     INTEGER NOT NULL REFERENCES subscribers (id),
  medium     TEXT    NOT NULL,
  address    TEXT    NOT NULL,                    -- hash
  wish       TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER NOT NULL DEFAULT 0,
  outcome    TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_person ON tokens (person);

CREATE TABLE confirmations (                      -- how often an address was asked, whoever asked
  medium  TEXT    NOT NULL,
  hash    TEXT    NOT NULL,
  asked   INTEGER NOT NULL DEFAULT 0,             -- since the last click
  last_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (medium, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE folded (                             -- posts that a person gets with their next digest
  person  INTEGER NOT NULL REFERENCES subscribers (id),
  consent INTEGER NOT NULL REFERENCES grants (id),
  post    INTEGER NOT NULL REFERENCES posts (id),
  reason  TEXT    NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (person, consent, post)
) STRICT, WITHOUT ROWID;
CREATE INDEX folded_post ON folded (post);

CREATE TABLE notices (
  id         INTEGER PRIMARY KEY,
  purpose    TEXT    NOT NULL,
  person     INTEGER NOT NULL REFERENCES subscribers (id),
  key        TEXT    NOT NULL,
  sealed     BLOB    NOT NULL,                    -- the text, under the person's key
  digest     TEXT    NOT NULL,                    -- of the text without what is the person's own
  body       TEXT    NOT NULL DEFAULT '',         -- keyed hash of all of it: the same again is no news
  at         INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX notices_open ON notices (purpose, person, key) WHERE ended_at = 0;
CREATE INDEX notices_digest ON notices (digest, at);

CREATE TABLE streams (                            -- one text for many, or for one
  id          INTEGER PRIMARY KEY,
  kind        TEXT    NOT NULL CHECK (kind = 'post' OR kind = 'digest' OR kind = 'correction' OR kind = 'notice' OR kind = 'confirm' OR kind = 'answer'),
  destination TEXT    NOT NULL,
  medium      TEXT    NOT NULL,
  purpose     TEXT    NOT NULL DEFAULT '',        -- kind and name, as 'channel alertes'
  post        INTEGER REFERENCES posts (id),
  notice      INTEGER REFERENCES notices (id),
  revision    INTEGER NOT NULL DEFAULT 0,         -- of the post: what was corrected since, nobody was told yet
  occurrence  TEXT    NOT NULL DEFAULT '',
  person      INTEGER REFERENCES subscribers (id), -- of a stream for one
  content     BLOB    NOT NULL DEFAULT x'',       -- of a fixed text: sealed
  urgent      INTEGER NOT NULL DEFAULT 0,
  priority    INTEGER NOT NULL DEFAULT 1,
  state       TEXT    NOT NULL DEFAULT 'open' CHECK (state = 'open' OR state = 'done' OR state = 'held' OR state = 'stopped'),
  reason      TEXT    NOT NULL DEFAULT '',
  fanned      INTEGER NOT NULL DEFAULT 0,         -- up to this person the messages are made
  whole       INTEGER NOT NULL DEFAULT 0,         -- all are made
  claimed     INTEGER NOT NULL DEFAULT 0,         -- up to this person they were claimed once
  ready_at    INTEGER NOT NULL DEFAULT 0,
  slot_at     INTEGER NOT NULL DEFAULT 0,         -- of a digest: the posts shown until then
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  CHECK (kind = 'confirm' OR kind = 'answer' OR purpose <> '')
) STRICT;
CREATE UNIQUE INDEX streams_post ON streams (post, destination, kind) WHERE post IS NOT NULL AND kind <> 'correction';
CREATE INDEX streams_of_post ON streams (post) WHERE post IS NOT NULL;
CREATE UNIQUE INDEX streams_occurrence ON streams (occurrence, destination) WHERE occurrence <> '';
CREATE INDEX streams_open ON streams (destination, priority, id) WHERE state = 'open';
CREATE INDEX streams_person ON streams (person) WHERE person IS NOT NULL;

CREATE TABLE messages (
  stream     INTEGER NOT NULL REFERENCES streams (id),
  person     INTEGER NOT NULL,                    -- that of the grant, or of the stream: checked there, once and not for each message
  consent    INTEGER REFERENCES grants (id),      -- none for the two fixed texts, which carry no news
  version    INTEGER NOT NULL DEFAULT 0,          -- of the grant
  state      TEXT    NOT NULL DEFAULT 'pending' CHECK (state = 'pending' OR state = 'sent' OR state = 'suppressed' OR state = 'unknown' OR state = 'held' OR
                       state = 'failed' OR state = 'expired' OR state = 'dropped' OR state = 'folded'),
  reason     TEXT    NOT NULL DEFAULT '',
  attempt    INTEGER NOT NULL DEFAULT 0,
  unsure     INTEGER NOT NULL DEFAULT 0,          -- an attempt of before may have arrived
  next_at    INTEGER NOT NULL DEFAULT 0,          -- of one that is to be claimed again
  settled_at INTEGER NOT NULL DEFAULT 0,
  posts      TEXT    NOT NULL DEFAULT '',         -- of a digest: what was in it
  ref        TEXT    NOT NULL DEFAULT '',         -- how the platform calls it, where that cannot be told otherwise
  error      TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (stream, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_wait ON messages (stream) WHERE state = 'held' OR state = 'unknown';
CREATE INDEX messages_again ON messages (stream, next_at) WHERE next_at > 0;

CREATE TABLE message_batches (
  id          INTEGER PRIMARY KEY,
  node        TEXT    NOT NULL,
  fence       TEXT    NOT NULL,
  destination TEXT    NOT NULL,
  stream      INTEGER NOT NULL REFERENCES streams (id),
  people      TEXT    NOT NULL,                   -- in the order in which they start
  started     INTEGER NOT NULL DEFAULT 0,         -- how many of them may have left
  lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE sent_days (                          -- what a person got, for caps
  person  INTEGER NOT NULL,
  purpose TEXT    NOT NULL,
  day     INTEGER NOT NULL,                       -- of the person's zone, as days since 1970
  count   INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (person, purpose, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
  connection TEXT    NOT NULL,                    -- the destination whose connector got it
  id         TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  kind       TEXT    NOT NULL,
  person     INTEGER NOT NULL DEFAULT 0,
  sealed     BLOB    NOT NULL DEFAULT x'',        -- the event, until it was worked on
  outcome    TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (connection, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_open ON inbox (at) WHERE outcome = '';

CREATE TABLE bot_memory (                         -- what a conversation has to remember, by the keyed hash of the handle
  hash     TEXT    NOT NULL,
  name     TEXT    NOT NULL,
  data     BLOB    NOT NULL,                      -- sealed
  until_at INTEGER NOT NULL,
  PRIMARY KEY (hash, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE listeners (
  name   TEXT PRIMARY KEY,
  cursor BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

CREATE TABLE imports (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  sha256     TEXT    NOT NULL,
  actor      TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  rows_done  INTEGER NOT NULL DEFAULT 0,
  summary    TEXT    NOT NULL DEFAULT '{}',
  sent       INTEGER NOT NULL DEFAULT 0,          -- messages that were started to its people
  released   INTEGER NOT NULL DEFAULT 0,          -- somebody has looked at what came back
  state      TEXT    NOT NULL DEFAULT 'open' CHECK (state = 'open' OR state = 'done' OR state = 'revoked')
) STRICT;

CREATE TABLE ledger_events (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,     -- in the order of their commits
  at       INTEGER NOT NULL,
  recorded INTEGER NOT NULL,
  person   INTEGER NOT NULL DEFAULT 0,
  kind     TEXT    NOT NULL,
  data     BLOB    NOT NULL,                      -- ciphertext under the person's key, or nothing personal
  sequence INTEGER                                -- in the log, once it is sealed
) STRICT;
CREATE INDEX ledger_events_person ON ledger_events (person) WHERE person > 0;
CREATE UNIQUE INDEX ledger_events_sequence ON ledger_events (sequence) WHERE sequence IS NOT NULL;
CREATE INDEX ledger_events_tail ON ledger_events (id) WHERE sequence IS NULL;

CREATE TABLE ledger_hashes (                      -- of the log's tree, in the order of tlog
  idx  INTEGER PRIMARY KEY,
  hash BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_checkpoints (
  size INTEGER PRIMARY KEY,
  at   INTEGER NOT NULL,
  text BLOB    NOT NULL                           -- signed
) STRICT;
