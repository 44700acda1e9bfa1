-- How many rows each of these messages has, locked or not, or could claim: $2 name the rows $3. The index on
-- message ids has none that are empty.
SELECT message_id, count(*)
FROM (
    SELECT message_id FROM message_logs WHERE message_id = ANY ($1::text[]) AND message_id <> ''
    UNION ALL
    SELECT claim.message_id
    FROM unnest($2::text[], $3::uuid[]) AS claim (message_id, row_id)
    JOIN message_logs AS message ON message.id = claim.row_id AND message.message_id IS NULL
) AS row_of
GROUP BY message_id;
