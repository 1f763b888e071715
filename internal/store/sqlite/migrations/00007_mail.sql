-- +goose Up
-- A stream gets a secret of its own besides its number, which a database that was restored gives again: what comes back for
-- a message of before then names nothing. It is empty for the streams of before.
-- A stream of corrections keeps whether who gets digests has them collected, and whose message was under way when it was made
-- (late, as JSON by stream, or a hyphen once they are settled). A message keeps which revision of the post it showed, and 0
-- when that is not known.

ALTER TABLE streams ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE streams ADD COLUMN collects INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN late TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
