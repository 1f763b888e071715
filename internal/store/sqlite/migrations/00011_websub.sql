-- +goose Up
-- What hubs were asked to tell of sources (WebSub), and what they answered.
CREATE TABLE subscriptions (
  id           INTEGER PRIMARY KEY,
  source       TEXT    NOT NULL,
  hub          TEXT    NOT NULL,
  topic        TEXT    NOT NULL,
  origin       TEXT    NOT NULL,                    -- of the address that the hub calls, which ends with the token
  token        TEXT    NOT NULL UNIQUE,
  secret       TEXT    NOT NULL,                    -- with which the hub signs
  state        TEXT    NOT NULL DEFAULT 'pending' CHECK (state = 'pending' OR state = 'active' OR state = 'denied' OR state = 'leaving'),
  asked_at     INTEGER NOT NULL DEFAULT 0,          -- when the hub was asked for what it has not come back about; 0 when nothing is open
  verified_at  INTEGER NOT NULL DEFAULT 0,
  expires_at   INTEGER NOT NULL DEFAULT 0,          -- the end of the lease
  next_at      INTEGER NOT NULL DEFAULT 0,          -- when something is to be done about it
  delivered_at INTEGER NOT NULL DEFAULT 0,
  missed_at    INTEGER NOT NULL DEFAULT 0,          -- when a fetch found what the hub had not told
  attempts     INTEGER NOT NULL DEFAULT 0,          -- that failed since the last good one
  error        TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX subscriptions_source ON subscriptions (source);
