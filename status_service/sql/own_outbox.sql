-- Takes a number for this session and holds its lock, which shows to all that the session lives.
SELECT pg_advisory_lock($1, number), set_config('prime_sms.outbox_owner', number::text, false)
FROM (SELECT nextval('status_outbox_owner')::integer AS number OFFSET 0) AS owner;
