-- +goose Up
-- When the trouble with a source began: somebody is told of it once it lasts.
ALTER TABLE sources ADD COLUMN bad_since INTEGER NOT NULL DEFAULT 0;

-- Which settings of an applied configuration came from flags or the environment: their dotted paths.
ALTER TABLE configurations ADD COLUMN outside TEXT NOT NULL DEFAULT '[]';
