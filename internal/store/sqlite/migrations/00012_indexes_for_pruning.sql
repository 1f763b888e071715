-- +goose Up
-- What a row that goes is referred to by is looked up for each such row: without these, taking out old posts, notices and the
-- contents of items reads the whole of each of these tables again and again, while everything else waits for the writer.
CREATE INDEX deliveries_publication ON deliveries (publication);
CREATE INDEX channel_items_post ON channel_items (post) WHERE post IS NOT NULL;
CREATE INDEX occurrences_post ON occurrences (post) WHERE post IS NOT NULL;
CREATE INDEX item_aliases_item ON item_aliases (item);
CREATE INDEX streams_notice ON streams (notice) WHERE notice IS NOT NULL;

-- And what is old is found by its age.
CREATE INDEX tokens_expire ON tokens (expires_at);
CREATE INDEX inbox_answered ON inbox (at) WHERE outcome <> '';
CREATE INDEX folded_at ON folded (at);

-- What waits for a person still needs its images.
CREATE INDEX channel_items_held ON channel_items (item) WHERE state = 'held';
