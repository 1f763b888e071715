INSERT INTO subscribers (id, ref, external, lang, zone, quiet_from, quiet_until, paused_until, per_day, created_at, signal_at) VALUES
  (1, 'reader1', 'e1', 'fr', 'Europe/Paris', '22:00', '07:00', 0, 3, (unixepoch() - 5000) * 1000000, (unixepoch() - 4000) * 1000000),
  (2, 'reader2', '', 'en', '', '', '', (unixepoch() + 9000) * 1000000, 0, (unixepoch() - 5000) * 1000000, 0);
INSERT INTO person_keys (person, master, sealed) VALUES (1, 'b8ac5a3e', x'00ff01'), (2, 'b8ac5a3e', x'00ff02');
INSERT INTO addresses (id, person, medium, hash, sealed, verified_at, created_at) VALUES
  (1, 1, 'email', 'h1', x'0a', (unixepoch() - 4000) * 1000000, (unixepoch() - 5000) * 1000000), (2, 2, 'telegram', 'h2', x'0b', 0, (unixepoch() - 5000) * 1000000);
INSERT INTO grants (id, person, kind, name, medium, state, version, mode, slots, topics, languages, breaking, since, changed_at, covered) VALUES
  (1, 1, 'channel', 'alertes', 'email', 'active', 1, 'instant', '[]', '["sport"]', '["fr"]', 1, (unixepoch() - 4000) * 1000000, (unixepoch() - 4000) * 1000000, 0),
  (2, 1, 'channel', 'brief', 'email', 'active', 2, 'digest', '["07:00"]', '[]', '[]', 0, (unixepoch() - 4000) * 1000000, (unixepoch() - 4000) * 1000000, (unixepoch() - 4000) * 1000000),
  (3, 2, 'channel', 'alertes', 'telegram', 'withdrawn', 3, 'instant', '[]', '[]', '[]', 0, (unixepoch() - 4000) * 1000000, (unixepoch() - 3000) * 1000000, 0);
INSERT INTO suppressions (medium, hash, scope, name, reason, at) VALUES ('email', 'h9', 'never', '', 'never_again', (unixepoch() - 3000) * 1000000), ('telegram', 'h2', 'purpose', 'channel alertes', 'stopped', (unixepoch() - 3000) * 1000000);
INSERT INTO signups (id, medium, hash, sealed, wish, at) VALUES (1, 'email', 'h7', x'0c', x'0d', (unixepoch() - 30) * 1000000);
INSERT INTO tokens (hash, person, medium, address, wish, created_at, expires_at) VALUES ('t1', 2, 'telegram', 'h2', '{"purposes":[]}', (unixepoch() - 60) * 1000000, (unixepoch() + 9000) * 1000000);
INSERT INTO confirmations (medium, hash, asked, last_at) VALUES ('email', 'h7', 2, (unixepoch() - 60) * 1000000);
INSERT INTO folded (person, consent, post, reason, at) VALUES (1, 2, 87, 'cap_of_day', (unixepoch() - 60) * 1000000);
INSERT INTO notices (id, purpose, person, key, sealed, digest, at, expires_at) VALUES (1, 'parcels', 1, 'order-1', x'0e', 'd1', (unixepoch() - 60) * 1000000, (unixepoch() + 9000) * 1000000);
INSERT INTO streams (id, kind, destination, medium, purpose, post, notice, occurrence, person, content, urgent, priority, state, reason, fanned, whole, claimed, ready_at, slot_at, created_at, expires_at) VALUES
  (1, 'post', 'mail', 'email', 'channel alertes', 1, NULL, '', NULL, x'', 0, 2, 'open', '', 1, 1, 1, 0, 0, (unixepoch() - 90) * 1000000, (unixepoch() + 9000) * 1000000),
  (2, 'digest', 'mail', 'email', 'channel brief', NULL, NULL, 'channel brief|07:00|Europe/Paris|2026-01-05T07:00', NULL, x'', 0, 3, 'done', '', 1, 1, 1, 0, (unixepoch() - 90) * 1000000, (unixepoch() - 90) * 1000000, (unixepoch() + 9000) * 1000000),
  (3, 'confirm', 'mail', 'email', '', NULL, NULL, '', 2, x'0f', 0, 1, 'stopped', 'asked', 2, 1, 2, 0, 0, (unixepoch() - 90) * 1000000, (unixepoch() + 9000) * 1000000);
INSERT INTO messages (stream, person, consent, version, state, reason, attempt, next_at, settled_at, posts, ref, error) VALUES
  (1, 1, 1, 1, 'pending', 'quiet_hours', 1, (unixepoch() + 9000) * 1000000, 0, '', '', ''),
  (2, 1, 2, 2, 'sent', '', 1, 0, (unixepoch() - 80) * 1000000, '[87]', 'ref', ''),
  (3, 2, NULL, 0, 'failed', 'invalid', 1, 0, (unixepoch() - 80) * 1000000, '', '', 'refused');
INSERT INTO message_batches (id, node, fence, destination, stream, people, started, lease_until) VALUES (1, 'node', 'fence', 'mail', 1, '[1]', 1, (unixepoch() - 60) * 1000000);
INSERT INTO sent_days (person, purpose, day, count, last_at) VALUES (1, 'channel alertes', 20500, 1, (unixepoch() - 80) * 1000000), (1, 'channel brief', 20500, 1, (unixepoch() - 80) * 1000000);
INSERT INTO inbox (connection, id, at, kind, person, sealed, outcome) VALUES ('mail', 'e1', (unixepoch() - 80) * 1000000, 'bounce', 1, x'', 'soft');
INSERT INTO listeners (name, cursor) VALUES ('telegram', x'31');
INSERT INTO imports (id, name, sha256, actor, at, rows_done, summary, state) VALUES (1, 'readers.csv', 'ab', 'admin', (unixepoch() - 80) * 1000000, 7, '{"granted":7}', 'done');
INSERT INTO ledger_hashes (idx, hash) VALUES (0, x'0102');
INSERT INTO ledger_checkpoints (size, at, text) VALUES (1, (unixepoch() - 60) * 1000000, x'6f726967696e');
INSERT INTO ledger_events (id, at, recorded, person, kind, data) VALUES (1, (unixepoch() - 80) * 1000000, (unixepoch() - 80) * 1000000, 1, 'granted', x'01ff'), (2, (unixepoch() - 70) * 1000000, (unixepoch() - 70) * 1000000, 0, 'override', x'7b7d');
INSERT INTO bot_memory (hash, name, data, until_at) VALUES ('h2', 'unknown', x'01', (unixepoch() + 900) * 1000000);
