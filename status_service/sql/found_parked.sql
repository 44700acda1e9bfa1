-- Parked messages of these ages (parked after $1, until $2) whose row is there now: by its message id, or waiting to be claimed.
-- The subqueries cannot be flattened, so whatever the planner believes of the tables, rows are found by their indexes; the
-- one on message ids has none that are empty.
SELECT parked.message_id
FROM unnest($1::timestamp[], $2::timestamp[]) AS age (parked_after, parked_until)
CROSS JOIN LATERAL (
    SELECT message_id, callback_id
    FROM parked_statuses
    WHERE parked_at > age.parked_after AND parked_at <= age.parked_until
    ORDER BY parked_at
    OFFSET 0
) AS parked
CROSS JOIN LATERAL (
    SELECT id FROM message_logs WHERE message_id = parked.message_id AND message_id <> ''
    UNION ALL
    SELECT id FROM message_logs WHERE id = parked.callback_id AND message_id IS NULL
    LIMIT 1
) AS message
LIMIT $3;
