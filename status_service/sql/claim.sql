-- Stores a message's id in the row that its callback data names, while that row has none: Meta's answer to the sending was
-- lost. Of two messages that name one row the lesser id gets it; one that has a row, be it locked, claims no other. Gives
-- the messages that have a row now. The index on message ids has none that are empty.
WITH claim AS (
    SELECT DISTINCT ON (row_id) message_id, row_id
    FROM unnest($1::text[], $2::uuid[]) AS claim (message_id, row_id)
    ORDER BY row_id, message_id
),
claimable AS (
    SELECT message.id, claim.message_id
    FROM claim
    JOIN message_logs AS message ON message.id = claim.row_id
    WHERE message.message_id IS NULL AND message.campaign_id <> ALL ($3::uuid[])
        AND NOT EXISTS (SELECT FROM message_logs AS own WHERE own.message_id = claim.message_id AND own.message_id <> '')
    ORDER BY message.id
    FOR NO KEY UPDATE OF message
)
UPDATE message_logs AS message
SET message_id = claimable.message_id
FROM claimable
WHERE message.id = claimable.id AND message.message_id IS NULL
RETURNING message.message_id;
