-- +goose Up
-- What came back of a destination's messages, by its kind and time, and what was sent there in a day: both are asked with
-- every bounce and complaint.
CREATE INDEX inbox_outcomes ON inbox (connection, outcome, at) WHERE outcome <> '';
CREATE INDEX streams_made ON streams (destination, created_at);
