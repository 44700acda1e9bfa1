-- Writes a transaction's events; they are this session's to publish.
INSERT INTO status_outbox (owner, events) VALUES (current_setting('prime_sms.outbox_owner')::integer, $1) RETURNING id;
