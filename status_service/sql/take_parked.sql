-- Takes these entries out of parked_statuses; one that another transaction is writing stays where it is.
DELETE FROM parked_statuses AS parked
USING (
    SELECT message_id FROM parked_statuses WHERE message_id = ANY ($1::text[]) ORDER BY message_id FOR UPDATE SKIP LOCKED
) AS free
WHERE parked.message_id = free.message_id
RETURNING
    parked.message_id, parked.callback_id, parked.phone_number_id,
    (extract(epoch FROM parked.sent_at) * 1000000)::bigint AS sent_at,
    (extract(epoch FROM parked.delivered_at) * 1000000)::bigint AS delivered_at,
    (extract(epoch FROM parked.read_at) * 1000000)::bigint AS read_at,
    (extract(epoch FROM parked.failed_at) * 1000000)::bigint AS failed_at,
    parked.error_code, parked.error_message, parked.said, parked.parked_at;
