-- +goose Up
-- A rate is kept by the starts of its last calls: no stretch of time, wherever it begins, has more of them than allowed.

DROP TABLE rates;

CREATE TABLE rates (
  destination TEXT NOT NULL,
  chat        TEXT NOT NULL,                    -- '' with scope destination
  scope       TEXT NOT NULL,
  events      INTEGER NOT NULL,
  per         INTEGER NOT NULL,
  starts      TEXT NOT NULL,                    -- microseconds, the oldest first
  PRIMARY KEY (destination, chat, scope, events, per)
) STRICT, WITHOUT ROWID;

-- Claiming looks for the batch of a channel, and for the next source whether or not it is asked for by hand.
CREATE INDEX batches_channel ON batches (destination, chat);
DROP INDEX sources_due;
CREATE INDEX sources_due ON sources (next_at) WHERE configured = 1;
