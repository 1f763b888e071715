-- +goose Up
-- From when the lag of a post's copies counts, unless that is visible_at.
ALTER TABLE posts ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
