-- Rates are made anew in this schema: what the first one knew of them has no use any more.
-- forgets: rates

INSERT INTO rates (destination, chat, scope, events, per, starts) VALUES ('hook', '', 'destination', 10, 1000000, json_array((unixepoch() - 2) * 1000000, (unixepoch() - 1) * 1000000));
