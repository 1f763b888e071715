-- What schema 7 adds.
UPDATE streams SET nonce = 'abcdefgh' WHERE id = 2;
INSERT INTO streams (id, kind, destination, medium, purpose, post, occurrence, created_at, expires_at, nonce, collects, late, revision) VALUES
  (4, 'correction', 'mail', 'email', 'channel alertes', 1, 'correction 1.2', (unixepoch() - 70) * 1000000, (unixepoch() + 9000) * 1000000, 'ijklmnop', 1, '{"1":[1]}', 2);
UPDATE messages SET revision = 1 WHERE stream = 1;
