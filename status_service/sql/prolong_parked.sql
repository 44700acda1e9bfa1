-- Gives entries of a phone number that has become ours since they were parked the time that ours have ($2, seconds).
UPDATE parked_statuses AS parked
SET expires_at = parked.parked_at + interval '1 second' * $2::integer
FROM (
    SELECT message_id FROM parked_statuses WHERE message_id = ANY ($1::text[]) ORDER BY message_id FOR UPDATE SKIP LOCKED
) AS free
WHERE parked.message_id = free.message_id
    AND parked.parked_at + interval '1 second' * $2 > now() AT TIME ZONE 'UTC'
    AND (
        EXISTS (SELECT FROM whatsapp_numbers AS ours WHERE ours.phone_number_id = parked.phone_number_id)
        OR EXISTS (SELECT FROM user_business_info AS ours WHERE ours.whatsapp_number_id = parked.phone_number_id)
    )
RETURNING parked.message_id;
