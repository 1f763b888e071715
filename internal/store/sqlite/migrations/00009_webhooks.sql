-- +goose Up
-- Sources that are called and not fetched.
ALTER TABLE sources ADD COLUMN called INTEGER NOT NULL DEFAULT 0;

CREATE TABLE raw_webhooks (                       -- verified calls as they came, until they are mapped and for a while after
  id       INTEGER PRIMARY KEY,
  source   TEXT    NOT NULL,
  delivery TEXT    NOT NULL,
  request  TEXT    NOT NULL,                      -- method, path, query and headers, but none that holds a credential
  body     BLOB    NOT NULL,
  at       INTEGER NOT NULL,
  state    TEXT    NOT NULL DEFAULT 'waiting' CHECK (state = 'waiting' OR state = 'mapped' OR state = 'failed'),
  reason   TEXT    NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0,            -- how often the process that maps ended over it
  told     INTEGER NOT NULL DEFAULT 0,            -- its notices were given: mapping it again says nothing to anybody
  ended_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX raw_webhooks_waiting ON raw_webhooks (source, id) WHERE state = 'waiting';
CREATE INDEX raw_webhooks_failed ON raw_webhooks (source, id) WHERE state = 'failed';
CREATE INDEX raw_webhooks_ended ON raw_webhooks (ended_at) WHERE ended_at > 0;

CREATE TABLE webhook_ids (                        -- which deliveries came, for longer than any sender repeats them
  source   TEXT    NOT NULL,
  delivery TEXT    NOT NULL,
  body     BLOB    NOT NULL,                      -- SHA-256
  at       INTEGER NOT NULL,
  PRIMARY KEY (source, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_ids_at ON webhook_ids (at);
