-- How many messages are parked (beyond 100,000 as the server estimates it) and for how many seconds the oldest is.
SELECT
    CASE WHEN counted.number < 100000 THEN counted.number ELSE greatest(counted.number, estimate.reltuples::bigint) END AS number,
    coalesce(extract(epoch FROM now() AT TIME ZONE 'UTC' - oldest.parked_at)::double precision, 0) AS age
FROM (SELECT count(*) AS number FROM (SELECT message_id FROM parked_statuses LIMIT 100000) AS entry) AS counted
CROSS JOIN (SELECT min(parked_at) AS parked_at FROM parked_statuses) AS oldest
CROSS JOIN (SELECT reltuples FROM pg_class WHERE oid = 'parked_statuses'::regclass) AS estimate;
