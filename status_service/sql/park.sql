-- Joins what was told of messages without a row into parked_statuses, by the rule of merge.sql. Entries of phone numbers that are
-- not ours expire sooner: $11 and $12 are seconds. An entry that says it all already is not written.
WITH told AS (
    SELECT
        message_id,
        callback_id,
        phone_number_id,
        timestamp 'epoch' + sent_at * interval '1 microsecond' AS sent_at,
        timestamp 'epoch' + delivered_at * interval '1 microsecond' AS delivered_at,
        timestamp 'epoch' + read_at * interval '1 microsecond' AS read_at,
        timestamp 'epoch' + failed_at * interval '1 microsecond' AS failed_at,
        error_code,
        error_message,
        said
    FROM unnest(
        $1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[], $9::text[],
        $10::smallint[]
    ) AS batch (
        message_id, callback_id, phone_number_id, sent_at, delivered_at, read_at, failed_at, error_code, error_message, said
    )
),
foreign_number AS MATERIALIZED (
    SELECT phone_number_id
    FROM (SELECT DISTINCT phone_number_id FROM told WHERE phone_number_id IS NOT NULL) AS number
    WHERE NOT EXISTS (SELECT FROM whatsapp_numbers AS ours WHERE ours.phone_number_id = number.phone_number_id)
        AND NOT EXISTS (SELECT FROM user_business_info AS ours WHERE ours.whatsapp_number_id = number.phone_number_id)
)
INSERT INTO parked_statuses AS parked (
    message_id, callback_id, phone_number_id, sent_at, delivered_at, read_at, failed_at, error_code, error_message, said,
    parked_at, expires_at
)
SELECT
    told.*,
    now() AT TIME ZONE 'UTC',
    now() AT TIME ZONE 'UTC' + interval '1 second' * CASE WHEN foreign_number.phone_number_id IS NULL THEN $11::integer ELSE $12 END
FROM told
LEFT JOIN foreign_number USING (phone_number_id)
ORDER BY told.message_id
ON CONFLICT (message_id) DO UPDATE SET
    callback_id = least(parked.callback_id, excluded.callback_id),
    phone_number_id = least(parked.phone_number_id, excluded.phone_number_id),
    sent_at = least(parked.sent_at, excluded.sent_at),
    delivered_at = least(parked.delivered_at, excluded.delivered_at),
    read_at = least(parked.read_at, excluded.read_at),
    (failed_at, error_code, error_message) = (
        SELECT failure.failed_at, failure.error_code, failure.error_message
        FROM (
            VALUES
                (parked.failed_at, parked.error_code, parked.error_message),
                (excluded.failed_at, excluded.error_code, excluded.error_message)
        ) AS failure (failed_at, error_code, error_message)
        ORDER BY failure.failed_at, failure.error_code, failure.error_message COLLATE "C"
        LIMIT 1
    ),
    said = parked.said | excluded.said
WHERE parked.said | excluded.said <> parked.said
    OR excluded.sent_at < parked.sent_at
    OR excluded.delivered_at < parked.delivered_at
    OR excluded.read_at < parked.read_at
    OR (
        excluded.failed_at,
        excluded.error_code IS NULL, coalesce(excluded.error_code, 0),
        excluded.error_message IS NULL, coalesce(excluded.error_message, '') COLLATE "C"
    ) < (
        parked.failed_at,
        parked.error_code IS NULL, coalesce(parked.error_code, 0),
        parked.error_message IS NULL, coalesce(parked.error_message, '') COLLATE "C"
    )
    OR least(parked.callback_id, excluded.callback_id) IS DISTINCT FROM parked.callback_id
    OR least(parked.phone_number_id, excluded.phone_number_id) IS DISTINCT FROM parked.phone_number_id;
