-- Locks the campaigns of these messages that nobody has locked, and gives the others. Waits in our own queue only.
-- The index on message ids has none that are empty.
WITH touched AS MATERIALIZED (
    SELECT campaign_id FROM message_logs WHERE message_id = ANY ($1::text[]) AND message_id <> ''
    UNION
    SELECT campaign_id FROM message_logs WHERE id = ANY ($2::uuid[])
),
queued AS MATERIALIZED (
    SELECT prime_sms_lock_campaigns($3, ARRAY(SELECT campaign_id FROM touched), interval '0')
),
locked AS (
    SELECT campaign.id
    FROM queued CROSS JOIN campaign_logs AS campaign
    WHERE campaign.id IN (SELECT campaign_id FROM touched)
    ORDER BY campaign.id
    FOR NO KEY UPDATE OF campaign SKIP LOCKED
)
SELECT campaign_id FROM touched WHERE campaign_id NOT IN (SELECT id FROM locked);
