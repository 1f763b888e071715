-- A newsroom in the midst of its work, in every table of the first schema. Everything is paused, so that a daemon that
-- starts on it changes as little as it can. Each later schema has a file of its own for what it adds.

INSERT INTO meta (name, value) VALUES ('store.secret', 'c2VjcmV0'), ('note', 'é 名 😀');
INSERT INTO configurations (generation, applied_at, tree) VALUES (1, (unixepoch() - 7200) * 1000000, '{"timezone":"UTC"}'), (2, (unixepoch() - 3600) * 1000000, '{"timezone":"Europe/Paris"}');

INSERT INTO sources (name, version, cursor, primed, next_at, fetched_at, ok_at, new_at, failures, code, error, about, notices) VALUES
  ('articles', 12, x'00ff7b227d', 1, (unixepoch() + 300) * 1000000, (unixepoch() - 60) * 1000000, (unixepoch() - 60) * 1000000, (unixepoch() - 600) * 1000000, 0, '', '', '{"title":"La Gazette"}', '["a notice"]'),
  ('agenda', 3, x'', 1, (unixepoch() + 300) * 1000000, (unixepoch() - 90) * 1000000, 0, 0, 4, 'unavailable', 'agenda.example answers 503', '{}', '[]');

INSERT INTO holds (id, source, kind, note, reason, at) VALUES (1, 'articles', 'flood', '40 new items at once', 'more than max_new', (unixepoch() - 500) * 1000000);
INSERT INTO holds (id, source, kind, note, reason, at, ended_at, released) VALUES (2, 'agenda', 'removal', '9 withdrawals at once', '', (unixepoch() - 900) * 1000000, (unixepoch() - 800) * 1000000, 1);

-- Enough of them that a backup takes more than one breath.
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
INSERT INTO items (id, source, key, revision, state, substance, facts, content, url, link, title_key, seen_at, changed_at, published, listed_at, changed)
  SELECT i, 'articles', 'https://gazette.example/' || i, 1 + i % 3, 'live', hex(randomblob(16)), hex(randomblob(16)),
    json_object('Key', 'https://gazette.example/' || i, 'Title', 'Incendie n° ' || i, 'Summary', replace(hex(zeroblob(600 + i)), '00', 'à ')),
    'https://gazette.example/' || i, 'gazette.example/' || i, 'incendie ' || i,
    (unixepoch() - 4000 + i) * 1000000, (unixepoch() - 4000 + i) * 1000000, (unixepoch() - 5000 + i) * 1000000, (unixepoch() - 60) * 1000000, 0 FROM n;
INSERT INTO items (id, source, key, state, reason, substance, facts, content, seen_at, changed_at, listed_at, hold, changed) VALUES
  (101, 'articles', 'held', 'held', 'flood', 'a', 'b', '{"Key":"held","Title":"Held"}', unixepoch() * 1000000, unixepoch() * 1000000, unixepoch() * 1000000, 1, 0);
INSERT INTO items (id, source, key, state, reason, substance, facts, content, seen_at, changed_at, listed, listed_at, gone_at, gone_reason, changed) VALUES
  (102, 'articles', 'gone', 'removed', '', 'a', 'b', '{"Key":"gone","Title":"Gone"}', unixepoch() * 1000000, unixepoch() * 1000000, 0, unixepoch() * 1000000, unixepoch() * 1000000, 'withdrawn', 0);
INSERT INTO item_aliases (source, key, item) VALUES ('articles', 'https://gazette.example/old', 1);
INSERT INTO blocked (kind, source, value, at, reason) VALUES ('key', 'articles', 'never', unixepoch() * 1000000, 'court order'), ('link', '', 'gazette.example/never', unixepoch() * 1000000, 'court order');
INSERT INTO held_removals (hold, item) VALUES (2, 2);

INSERT INTO channels (name, since) VALUES ('alertes', (unixepoch() - 9000) * 1000000), ('brief', (unixepoch() - 9000) * 1000000);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 85)
INSERT INTO posts (id, public_id, channel, key, kind, status, revision, urgent, created_at, visible_at, changed_at)
  SELECT i, 'p' || i, 'alertes', 'item:' || i, 'each', iif(i % 50 = 0, 'withdrawn', 'live'), 1 + (i % 2), i % 7 = 0,
    (unixepoch() - 3000 + i) * 1000000, (unixepoch() - 3000 + i) * 1000000, (unixepoch() - 3000 + i) * 1000000 FROM n;
INSERT INTO posts (id, public_id, channel, key, kind, status, created_at, changed_at) VALUES (86, 'p86', 'alertes', 'editor:1', 'editor', 'held', unixepoch() * 1000000, unixepoch() * 1000000);
INSERT INTO posts (id, public_id, channel, key, kind, status, created_at, visible_at, changed_at) VALUES (87, 'p87', 'brief', 'digest:1', 'digest', 'live', unixepoch() * 1000000, unixepoch() * 1000000, unixepoch() * 1000000);
INSERT INTO post_revisions (post, revision, at, content, note)
  SELECT id, r.n, created_at, json_object('title', 'Incendie n° ' || id || ', ' || r.n, 'summary', replace(hex(zeroblob(900)), '00', 'é ')), iif(r.n > 1, 'corrected', '')
  FROM posts JOIN (SELECT 1 AS n UNION ALL SELECT 2) r ON r.n <= posts.revision;
INSERT INTO post_items (post, item, position, item_revision) SELECT id, id, 0, 1 FROM posts WHERE kind = 'each';
INSERT INTO post_items (post, item, position, item_revision) VALUES (87, 1, 0, 1), (87, 2, 1, 3);
INSERT INTO channel_items (channel, item, state, since, post) SELECT 'alertes', id, 'used', created_at, id FROM posts WHERE kind = 'each';
INSERT INTO channel_items (channel, item, state, reason, detail, since) VALUES ('alertes', 91, 'waiting', 'settle', '', unixepoch() * 1000000), ('brief', 3, 'left_out', 'where', '', unixepoch() * 1000000),
  ('alertes', 92, 'held', 'blackout', 'election', unixepoch() * 1000000);

INSERT INTO schedules (name, spec, checked_until) VALUES ('digest:brief', '0 7 * * *', unixepoch() * 1000000);
INSERT INTO occurrences (schedule, key, at, outcome, reason, post, decided_at) VALUES ('digest:brief', '2026-01-05T07:00', (unixepoch() - 3600) * 1000000, 'fired', '', 87, (unixepoch() - 3600) * 1000000),
  ('digest:brief', '2026-01-04T07:00', (unixepoch() - 90000) * 1000000, 'missed', 'down', NULL, (unixepoch() - 80000) * 1000000);

INSERT INTO publications (id, post, channel, destination, want, have, state, out_at, edited_at) SELECT id, id, channel, 'hook', revision, revision, 'done', created_at, created_at FROM posts WHERE id <= 80;
INSERT INTO publications (id, post, channel, destination, want, state) SELECT id, id, channel, 'hook', revision, 'open' FROM posts WHERE id BETWEEN 81 AND 83;
INSERT INTO publications (id, post, channel, destination, chat, want, state, reason) VALUES (84, 84, 'alertes', 'hook', 'room', 1, 'failed', 'too_large'), (85, 85, 'alertes', 'hook', 'room', 1, 'held', 'blackout');
INSERT INTO parts (publication, series, position, ids, url, ref_state, digest, revision, at) SELECT id, 'post', 0, json_array('m' || id), 'https://hook.example/' || id, x'00ff', hex(randomblob(8)), want, out_at FROM publications WHERE state = 'done';
INSERT INTO batches (id, node, fence, destination, chat, lease_until) VALUES (1, 'node', 'fence', 'hook', '', (unixepoch() - 60) * 1000000);
INSERT INTO deliveries (id, publication, destination, state, op, series, revision, key, attempt, next_at, created_at, first_at, started_at, settled_at)
  SELECT id, id, 'hook', 'sent', 'publish', 'post', want, 'k' || id, 1, out_at, out_at, out_at, out_at, out_at FROM publications WHERE state = 'done';
INSERT INTO deliveries (id, publication, destination, state, next_at, created_at) VALUES (81, 81, 'hook', 'pending', unixepoch() * 1000000, unixepoch() * 1000000);
INSERT INTO deliveries (id, publication, destination, state, op, series, key, call, attempt, next_at, batch, created_at, first_at, started_at) VALUES
  (82, 82, 'hook', 'started', 'publish', 'post', 'k82', '{"op":"publish"}', 1, unixepoch() * 1000000, 1, unixepoch() * 1000000, unixepoch() * 1000000, unixepoch() * 1000000);
INSERT INTO deliveries (id, publication, destination, state, reason, op, series, key, call, next_at, created_at, first_at, started_at) VALUES
  (83, 83, 'hook', 'unknown', 'asked', 'publish', 'post', 'k83', '{"op":"publish"}', unixepoch() * 1000000, unixepoch() * 1000000, unixepoch() * 1000000, unixepoch() * 1000000);
INSERT INTO deliveries (id, publication, destination, chat, state, reason, code, error, next_at, created_at, settled_at) VALUES
  (84, 84, 'hook', 'room', 'failed', '', 'too_large', 'hook.example: too large', unixepoch() * 1000000, unixepoch() * 1000000, unixepoch() * 1000000);
INSERT INTO deliveries (id, publication, destination, chat, state, reason, next_at, created_at) VALUES (85, 85, 'hook', 'room', 'held', 'blackout', unixepoch() * 1000000, unixepoch() * 1000000);

INSERT INTO destinations (name, fingerprint, stopped_at, code, error, failures, failing_since, ok_at) VALUES ('hook', 'f', 0, '', '', 0, 0, unixepoch() * 1000000);
INSERT INTO lanes (destination, chat, ref, limits, resolved_at) VALUES ('hook', '', '{"ID":"hook"}', '{}', unixepoch() * 1000000);
INSERT INTO rates (destination, chat, scope, events, per, arrival) VALUES ('hook', '', 'destination', 10, 1000000, unixepoch() * 1000000);
INSERT INTO pauses (scope, name, since) VALUES ('all', '', (unixepoch() - 30) * 1000000), ('channel', 'brief', (unixepoch() - 30) * 1000000);
INSERT INTO media (id, url, state, error, attempt, next_at, wanted_at, fetched_at) VALUES (1, 'https://gazette.example/1.jpg', 'failed', 'image of gazette.example: its server answers 404', 1, 0, unixepoch() * 1000000, unixepoch() * 1000000);
INSERT INTO post_media (post, media) VALUES (1, 1);
INSERT INTO alerts (id, code, subject, sentence, mend, first_at, last_at, count, told_at, resolved_at, over_told) VALUES
  (1, 'source_failing', 'articles', 'source articles cannot be read', 'try it', (unixepoch() - 9000) * 1000000, (unixepoch() - 8000) * 1000000, 3, (unixepoch() - 8000) * 1000000, (unixepoch() - 7000) * 1000000, 1),
  (2, 'source_failing', 'agenda', 'source agenda cannot be read', 'try it', (unixepoch() - 900) * 1000000, (unixepoch() - 90) * 1000000, 2, (unixepoch() - 90) * 1000000, 0, 0);
INSERT INTO acts (id, at, actor, act, detail) VALUES (1, (unixepoch() - 30) * 1000000, 'root', 'pause', 'all');
