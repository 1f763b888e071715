-- moves: deliveries.call to calls.call by delivery
INSERT INTO calls (delivery, call, request) VALUES (81, '{"op":"publish"}', x'7b2274657874223a226e6577227d');
