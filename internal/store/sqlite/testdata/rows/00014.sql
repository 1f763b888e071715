-- What schema 14 changes: indexes over the inbox and the streams. What came back of a message is in one of them.
INSERT INTO inbox (connection, id, at, kind, person, outcome) VALUES ('mail', 'returned-1', (unixepoch() - 3600) * 1000000, 'bounce', 1, 'hard');
