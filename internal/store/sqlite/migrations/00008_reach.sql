-- +goose Up
-- What decides whether somebody may be written to now: when they last wrote on a medium (reply windows), and how an audience
-- has grown by people who came by themselves (the brake on new audiences).

ALTER TABLE addresses ADD COLUMN heard_at INTEGER NOT NULL DEFAULT 0; -- when the person last wrote from there

CREATE TABLE audiences (
  purpose   TEXT    NOT NULL,           -- as 'channel alertes'
  medium    TEXT    NOT NULL,
  grown     INTEGER NOT NULL DEFAULT 0, -- people who came since posted_at and never followed before
  posted_at INTEGER NOT NULL DEFAULT 0, -- when something was last made for all of them
  since     INTEGER NOT NULL DEFAULT 0, -- of a jump that nobody has released: who came after this is new
  sent      INTEGER NOT NULL DEFAULT 0, -- messages that were started to those
  PRIMARY KEY (purpose, medium)
) STRICT, WITHOUT ROWID;

-- Whoever follows by now is no new audience.
INSERT INTO audiences (purpose, medium, posted_at)
SELECT kind || ' ' || name, medium, max(since) FROM grants WHERE state = 'active' GROUP BY kind, name, medium;

CREATE INDEX messages_window ON messages (person) WHERE state = 'held' AND reason = 'reply_window_closed';
