-- What schema 10 changes: the table of messages. More kinds of rows for the migration after it.
INSERT INTO messages (stream, person, consent, version, state, reason, attempt, unsure, next_at, settled_at, posts, ref, error, revision) VALUES
  (4, 1, 1, 1, 'pending', 'unknown', 1, 1, (unixepoch() + 600) * 1000000, 0, '[]', '', 'the connection broke', 2);
