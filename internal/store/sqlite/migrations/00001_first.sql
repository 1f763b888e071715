-- +goose Up
-- Times are microseconds since 1970 in UTC; 0 means never. JSON columns hold what their Go types marshal to.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE configurations (
  generation INTEGER PRIMARY KEY,
  applied_at INTEGER NOT NULL,
  tree       TEXT NOT NULL               -- masked
) STRICT;

CREATE TABLE sources (
  name       TEXT PRIMARY KEY,
  version    INTEGER NOT NULL DEFAULT 0,
  configured INTEGER NOT NULL DEFAULT 1,
  cursor     BLOB    NOT NULL DEFAULT x'',
  primed     INTEGER NOT NULL DEFAULT 0,
  gone       INTEGER NOT NULL DEFAULT 0,
  force      INTEGER NOT NULL DEFAULT 0,
  next_at    INTEGER NOT NULL DEFAULT 0,
  wait_until INTEGER NOT NULL DEFAULT 0,
  lease      INTEGER NOT NULL DEFAULT 0,
  fetched_at INTEGER NOT NULL DEFAULT 0,
  ok_at      INTEGER NOT NULL DEFAULT 0,
  new_at     INTEGER NOT NULL DEFAULT 0,
  failures   INTEGER NOT NULL DEFAULT 0,
  code       TEXT    NOT NULL DEFAULT '',
  error      TEXT    NOT NULL DEFAULT '',
  about      TEXT    NOT NULL DEFAULT '{}',
  notices    TEXT    NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;
CREATE INDEX sources_due ON sources (next_at) WHERE configured = 1 AND gone = 0;

CREATE TABLE holds (
  id          INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  kind        TEXT NOT NULL CHECK (kind IN ('flood', 'rekeyed', 'removal')),
  note        TEXT NOT NULL,
  reason      TEXT NOT NULL DEFAULT '',
  at          INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL DEFAULT 0,
  released    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX holds_open ON holds (source) WHERE ended_at = 0;

CREATE TABLE items (
  id          INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  key         TEXT NOT NULL,
  revision    INTEGER NOT NULL DEFAULT 1,
  state       TEXT NOT NULL CHECK (state IN ('live', 'held', 'removed', 'blocked')),
  reason      TEXT NOT NULL DEFAULT '',
  baseline    INTEGER NOT NULL DEFAULT 0,
  substance   TEXT NOT NULL,
  facts       TEXT NOT NULL,
  content     TEXT NOT NULL,
  url         TEXT NOT NULL DEFAULT '',
  link        TEXT NOT NULL DEFAULT '',    -- the canonical spelling of url, for comparing
  title_key   TEXT NOT NULL DEFAULT '',
  grp         TEXT NOT NULL DEFAULT '',
  seen_at     INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  published   INTEGER NOT NULL DEFAULT 0,
  not_before  INTEGER NOT NULL DEFAULT 0,
  listed      INTEGER NOT NULL DEFAULT 1,
  listed_at   INTEGER NOT NULL,
  check_at    INTEGER NOT NULL DEFAULT 0,
  gone_at     INTEGER NOT NULL DEFAULT 0,
  gone_reason TEXT NOT NULL DEFAULT '',
  hold        INTEGER REFERENCES holds (id),
  changed     INTEGER NOT NULL DEFAULT 1,  -- how often it changed since channels looked at it
  UNIQUE (source, key)
) STRICT;
CREATE INDEX items_changed ON items (id) WHERE changed > 0;
CREATE INDEX items_listed ON items (source) WHERE listed = 1;
CREATE INDEX items_check ON items (check_at) WHERE check_at > 0;
CREATE INDEX items_link ON items (link) WHERE link <> '';
CREATE INDEX items_hold ON items (hold) WHERE hold IS NOT NULL;
CREATE INDEX items_seen ON items (source, seen_at);

CREATE TABLE item_aliases (
  source TEXT NOT NULL,
  key    TEXT NOT NULL,
  item   INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
  PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocked (               -- retracted for good: these never come back
  kind   TEXT NOT NULL CHECK (kind IN ('key', 'link', 'image')),
  source TEXT NOT NULL DEFAULT '',
  value  TEXT NOT NULL,
  at     INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (kind, source, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE held_removals (
  hold INTEGER NOT NULL REFERENCES holds (id),
  item INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
  PRIMARY KEY (hold, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE channels (
  name  TEXT PRIMARY KEY,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE posts (
  id         INTEGER PRIMARY KEY,
  public_id  TEXT NOT NULL UNIQUE,
  channel    TEXT NOT NULL,
  key        TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('each', 'digest', 'editor')),
  status     TEXT NOT NULL CHECK (status IN ('scheduled', 'held', 'live', 'withdrawn', 'retracted')),
  reason     TEXT NOT NULL DEFAULT '',
  revision   INTEGER NOT NULL DEFAULT 1,
  urgent     INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  visible_at INTEGER NOT NULL DEFAULT 0,
  changed_at INTEGER NOT NULL,
  stale      INTEGER NOT NULL DEFAULT 0,
  UNIQUE (channel, key)
) STRICT;
CREATE INDEX posts_shown ON posts (channel, visible_at, id) WHERE visible_at > 0;
CREATE INDEX posts_changed ON posts (changed_at);
CREATE INDEX posts_stale ON posts (id) WHERE stale = 1;
CREATE INDEX posts_scheduled ON posts (visible_at) WHERE status = 'scheduled';

CREATE TABLE post_revisions (
  post     INTEGER NOT NULL REFERENCES posts (id),
  revision INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  content  TEXT NOT NULL,
  note     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (post, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE post_items (
  post          INTEGER NOT NULL REFERENCES posts (id),
  item          INTEGER NOT NULL REFERENCES items (id),
  position      INTEGER NOT NULL,
  item_revision INTEGER NOT NULL,
  PRIMARY KEY (post, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX post_items_item ON post_items (item);

CREATE TABLE channel_items (
  channel  TEXT NOT NULL,
  item     INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
  state    TEXT NOT NULL CHECK (state IN ('waiting', 'used', 'left_out', 'held')),
  reason   TEXT NOT NULL DEFAULT '',
  detail   TEXT NOT NULL DEFAULT '',
  since    INTEGER NOT NULL,
  released INTEGER NOT NULL DEFAULT 0,
  post     INTEGER REFERENCES posts (id),
  PRIMARY KEY (channel, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX channel_items_waiting ON channel_items (channel) WHERE state = 'waiting';
CREATE INDEX channel_items_item ON channel_items (item);

CREATE TABLE schedules (
  name          TEXT PRIMARY KEY,
  spec          TEXT NOT NULL,
  checked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE occurrences (
  schedule   TEXT NOT NULL,
  key        TEXT NOT NULL,
  at         INTEGER NOT NULL,
  outcome    TEXT NOT NULL CHECK (outcome IN ('fired', 'empty', 'missed')),
  reason     TEXT NOT NULL DEFAULT '',
  post       INTEGER REFERENCES posts (id),
  decided_at INTEGER NOT NULL,
  PRIMARY KEY (schedule, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE publications (
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
  state       TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'listed', 'left', 'failed', 'expired', 'dropped', 'held')),
  reason      TEXT NOT NULL DEFAULT '',
  out_at      INTEGER NOT NULL DEFAULT 0,
  edited_at   INTEGER NOT NULL DEFAULT 0,
  expires_at  INTEGER NOT NULL DEFAULT 0,
  released    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (post, destination, chat)
) STRICT;
CREATE INDEX publications_open ON publications (destination) WHERE state <> 'done';

CREATE TABLE parts (
  publication INTEGER NOT NULL REFERENCES publications (id),
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

CREATE TABLE batches (
  id          INTEGER PRIMARY KEY,
  node        TEXT NOT NULL,
  fence       TEXT NOT NULL,
  destination TEXT NOT NULL,
  chat        TEXT NOT NULL,
  lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE deliveries (
  id          INTEGER PRIMARY KEY,
  lane        TEXT NOT NULL DEFAULT 'channel' CHECK (lane IN ('channel', 'direct', 'answer')),
  publication INTEGER REFERENCES publications (id),
  destination TEXT NOT NULL,
  chat        TEXT NOT NULL DEFAULT '',
  priority    INTEGER NOT NULL DEFAULT 1,      -- 0: withdrawals and urgent posts, which go first
  state       TEXT NOT NULL DEFAULT 'pending' CHECK (state IN
    ('pending', 'started', 'unknown', 'held', 'awaiting_person', 'sent', 'failed', 'suppressed', 'expired', 'dropped')),
  reason      TEXT NOT NULL DEFAULT '',
  op          TEXT NOT NULL DEFAULT '',
  series      TEXT NOT NULL DEFAULT '',
  position    INTEGER NOT NULL DEFAULT 0,
  revision    INTEGER NOT NULL DEFAULT 0,
  key         TEXT NOT NULL DEFAULT '',
  call        TEXT NOT NULL DEFAULT '',        -- the call, while it is under way or unknown
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
  CHECK ((state IN ('sent', 'failed', 'suppressed', 'expired', 'dropped')) = (settled_at > 0))
) STRICT;
CREATE INDEX deliveries_due ON deliveries (destination, chat, priority, id) WHERE state = 'pending' AND batch IS NULL;
CREATE INDEX deliveries_batch ON deliveries (batch) WHERE batch IS NOT NULL;
CREATE INDEX deliveries_unknown ON deliveries (destination) WHERE state = 'unknown';
CREATE UNIQUE INDEX deliveries_open ON deliveries (publication)
  WHERE state IN ('pending', 'started', 'unknown', 'held', 'awaiting_person');

CREATE TABLE destinations (
  name         TEXT PRIMARY KEY,
  fingerprint  TEXT NOT NULL DEFAULT '',
  paused_until INTEGER NOT NULL DEFAULT 0,
  stopped_at   INTEGER NOT NULL DEFAULT 0,
  code         TEXT NOT NULL DEFAULT '',
  error        TEXT NOT NULL DEFAULT '',
  failures     INTEGER NOT NULL DEFAULT 0,
  failing_since INTEGER NOT NULL DEFAULT 0,
  ok_at        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
  destination TEXT NOT NULL,
  chat        TEXT NOT NULL,
  ref         TEXT NOT NULL DEFAULT '',
  limits      TEXT NOT NULL DEFAULT '',
  resolved_at INTEGER NOT NULL DEFAULT 0,
  ready_at    INTEGER NOT NULL DEFAULT 0,
  stopped_at  INTEGER NOT NULL DEFAULT 0,
  code        TEXT NOT NULL DEFAULT '',
  error       TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (destination, chat)
) STRICT, WITHOUT ROWID;

CREATE TABLE rates (                            -- GCRA: the theoretical arrival time of the next call
  destination TEXT NOT NULL,
  chat        TEXT NOT NULL,                    -- '' with scope destination
  scope       TEXT NOT NULL,
  events      INTEGER NOT NULL,
  per         INTEGER NOT NULL,
  arrival     INTEGER NOT NULL,
  PRIMARY KEY (destination, chat, scope, events, per)
) STRICT, WITHOUT ROWID;

CREATE TABLE pauses (
  scope TEXT NOT NULL CHECK (scope IN ('all', 'source', 'channel', 'destination')),
  name  TEXT NOT NULL DEFAULT '',
  since INTEGER NOT NULL,
  PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE media (
  id         INTEGER PRIMARY KEY,
  url        TEXT NOT NULL UNIQUE,
  state      TEXT NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'stored', 'failed')),
  sha256     TEXT NOT NULL DEFAULT '',
  name       TEXT NOT NULL DEFAULT '',
  type       TEXT NOT NULL DEFAULT '',
  width      INTEGER NOT NULL DEFAULT 0,
  height     INTEGER NOT NULL DEFAULT 0,
  size       INTEGER NOT NULL DEFAULT 0,
  error      TEXT NOT NULL DEFAULT '',
  attempt    INTEGER NOT NULL DEFAULT 0,
  next_at    INTEGER NOT NULL,
  wanted_at  INTEGER NOT NULL,
  fetched_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX media_due ON media (next_at) WHERE state = 'wanted';
CREATE INDEX media_sha ON media (sha256) WHERE sha256 <> '';

CREATE TABLE post_media (
  post  INTEGER NOT NULL REFERENCES posts (id),
  media INTEGER NOT NULL REFERENCES media (id),
  PRIMARY KEY (post, media)
) STRICT, WITHOUT ROWID;
CREATE INDEX post_media_media ON post_media (media);

CREATE TABLE alerts (
  id          INTEGER PRIMARY KEY,
  code        TEXT NOT NULL,
  subject     TEXT NOT NULL,
  sentence    TEXT NOT NULL,
  mend        TEXT NOT NULL,
  first_at    INTEGER NOT NULL,
  last_at     INTEGER NOT NULL,
  count       INTEGER NOT NULL DEFAULT 1,
  told_at     INTEGER NOT NULL DEFAULT 0,
  resolved_at INTEGER NOT NULL DEFAULT 0,
  over_told   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (code, subject) WHERE resolved_at = 0;

CREATE TABLE acts (                             -- what people did by command, for the record
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  actor  TEXT NOT NULL,
  act    TEXT NOT NULL,
  detail TEXT NOT NULL DEFAULT ''
) STRICT;
