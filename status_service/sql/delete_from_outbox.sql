-- Forgets what Kafka has.
DELETE FROM status_outbox WHERE id = ANY ($1::bigint[]);
