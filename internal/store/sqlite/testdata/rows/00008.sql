UPDATE addresses SET heard_at = (unixepoch() - 50) * 1000000 WHERE id = 2;
INSERT OR REPLACE INTO audiences (purpose, medium, grown, posted_at, since, sent) VALUES ('channel sport', 'telegram', 3, (unixepoch() - 60) * 1000000, (unixepoch() - 90) * 1000000, 2);
