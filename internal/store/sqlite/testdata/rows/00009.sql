UPDATE sources SET called = 0;
INSERT INTO raw_webhooks (id, source, delivery, request, body, at, state, reason, attempts, ended_at) VALUES
  (1, 'desk', 'msg_1', '{"method":"POST","path":"/hooks/desk","header":{"Content-Type":["application/json"]}}', CAST('{"id":1}' AS BLOB), 1795154400000000, 'mapped', '', 0, 1795154401000000),
  (2, 'desk', 'msg_2', '{"method":"POST","path":"/hooks/desk","header":{}}', CAST('{"id":2}' AS BLOB), 1795154402000000, 'failed', 'map.title yields no title', 1, 1795154403000000),
  (3, 'desk', 'msg_3', '{"method":"POST","path":"/hooks/desk","header":{}}', CAST('{"id":3}' AS BLOB), 1795154404000000, 'waiting', '', 0, 0);
INSERT INTO webhook_ids (source, delivery, body, at) VALUES ('desk', 'msg_1', x'00', 1795154400000000), ('desk', 'msg_2', x'01', 1795154402000000);
