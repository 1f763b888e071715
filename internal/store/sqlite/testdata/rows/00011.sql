-- What schema 11 adds: what hubs were asked to tell of sources.
INSERT INTO subscriptions (source, hub, topic, origin, token, secret, state, asked_at, verified_at, expires_at, next_at, delivered_at, missed_at, attempts, error) VALUES
  ('articles', 'https://hub.example/', 'https://news.example/feed', 'https://gazette.example', 'token', 'secret', 'active', 0, unixepoch() * 1000000, (unixepoch() + 864000) * 1000000, (unixepoch() + 576000) * 1000000, unixepoch() * 1000000, 0, 0, '');
