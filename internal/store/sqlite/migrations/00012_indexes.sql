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

-- What waits for a person is counted, and still needs its images.
CREATE INDEX channel_items_held ON channel_items (channel) WHERE state = 'held';

-- A notice replaces the one of its key, and a person who is forgotten has none.
CREATE INDEX notices_person ON notices (person, purpose, key);

-- Which posts were corrected lately, what readers were told of it, and which digests may have shown what was before.
CREATE INDEX posts_revised ON posts (channel, changed_at) WHERE revision > 1;
CREATE INDEX streams_digest ON streams (purpose, destination, created_at) WHERE kind = 'digest';

-- What channels show is counted for each look at the metrics.
CREATE INDEX posts_live ON posts (channel, visible_at) WHERE status = 'live' AND visible_at > 0;

-- Streams to many, of which a person who is forgotten may have had messages; posts that a program wrote, by their age.
CREATE INDEX streams_many ON streams (id) WHERE person IS NULL;
CREATE INDEX acts_posts ON acts (at) WHERE act = 'create post';

-- Which master keys are in use is asked at each start, and who is still under another one while a key is changed.
CREATE INDEX person_keys_master ON person_keys (master);

-- What came back of a destination's messages, by its kind and time, and what was sent there in a day: both are asked with every
-- bounce and complaint.
CREATE INDEX inbox_outcomes ON inbox (connection, outcome, at) WHERE outcome <> '';
CREATE INDEX streams_made ON streams (destination, created_at);
