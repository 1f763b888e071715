-- +goose Up
-- A message costs its fan-out less: that its stream is there is known from the transaction that writes it, which reads the
-- stream and says there how far it came, so that nothing has to look for the stream again with each row. A stream goes only
-- after the last of its messages.

CREATE TABLE new_messages (
  stream     INTEGER NOT NULL,                    -- read and written by the transaction that makes the message
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
  revision   INTEGER NOT NULL DEFAULT 0,          -- of the post that it showed; 0 when that is not known
  PRIMARY KEY (stream, person)
) STRICT, WITHOUT ROWID;

INSERT INTO new_messages (stream, person, consent, version, state, reason, attempt, unsure, next_at, settled_at, posts, ref, error, revision)
SELECT stream, person, consent, version, state, reason, attempt, unsure, next_at, settled_at, posts, ref, error, revision FROM messages ORDER BY stream, person;
DROP TABLE messages;
ALTER TABLE new_messages RENAME TO messages;
CREATE INDEX messages_wait ON messages (stream) WHERE state = 'held' OR state = 'unknown';
CREATE INDEX messages_again ON messages (stream, next_at) WHERE next_at > 0;
CREATE INDEX messages_window ON messages (person) WHERE state = 'held' AND reason = 'reply_window_closed';
