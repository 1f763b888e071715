UPDATE sources SET bad_since = (unixepoch() - 900) * 1000000 WHERE name = 'agenda';
UPDATE configurations SET outside = '["site.url"]' WHERE generation = 2;
