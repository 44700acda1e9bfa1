-- Takes over the entries whose owner is gone; $2 are those that this process publishes already.
WITH gone AS MATERIALIZED (
    SELECT owner
    FROM (SELECT DISTINCT owner FROM status_outbox WHERE id <> ALL ($2::bigint[]) OFFSET 0) AS candidate
    WHERE owner <> current_setting('prime_sms.outbox_owner')::integer AND pg_try_advisory_xact_lock($1, owner)
)
UPDATE status_outbox AS entry
SET owner = current_setting('prime_sms.outbox_owner')::integer
FROM gone
WHERE entry.owner = gone.owner AND entry.id <> ALL ($2)
RETURNING entry.id, entry.events;
