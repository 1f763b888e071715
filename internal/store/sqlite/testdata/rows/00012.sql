-- Schema 12 has indexes only.
INSERT INTO channel_items (channel, item, state, reason, since) VALUES ('second', 1, 'held', 'review', unixepoch() * 1000000);
