-- Locks the campaigns of these messages that nobody else has locked, and gives the others. Never waits.
-- The index on message ids has none that are empty.
WITH touched AS (
    SELECT campaign_id FROM message_logs WHERE message_id = ANY ($1::text[]) AND message_id <> ''
    UNION
    SELECT campaign_id FROM message_logs WHERE id = ANY ($2::uuid[])
),
locked AS (
    SELECT id FROM campaign_logs WHERE id IN (SELECT campaign_id FROM touched) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
SELECT campaign_id FROM touched WHERE campaign_id NOT IN (SELECT id FROM locked);
