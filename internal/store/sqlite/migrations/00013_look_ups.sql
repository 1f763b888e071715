-- +goose Up
-- What is looked up with each notice, each digest and each post that a program writes, and what is forgotten with a person.
CREATE INDEX notices_same ON notices (person, purpose, key);
CREATE INDEX streams_later ON streams (destination, purpose, kind) WHERE kind = 'digest' OR kind = 'correction';
CREATE INDEX streams_many ON streams (id) WHERE person IS NULL;
CREATE INDEX acts_posts ON acts (at) WHERE act = 'create post';

-- Which master keys are in use is asked at each start, and who is still under another one while a key is changed.
CREATE INDEX person_keys_master ON person_keys (master);
