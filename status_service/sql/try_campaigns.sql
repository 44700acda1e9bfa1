-- Locks those of the campaigns that are going to be written (sql/count.sql) that nobody else has locked, and gives the
-- number of the others. Never waits.
WITH wanted AS (
    SELECT campaign.id
    FROM unnest($1::uuid[], $2::boolean[]) AS difference (campaign_id, rows_written)
    JOIN campaign_logs AS campaign ON campaign.id = difference.campaign_id
    WHERE difference.rows_written OR campaign.status IS NULL OR campaign.status = 'pending'
),
locked AS (
    SELECT id FROM campaign_logs WHERE id IN (SELECT id FROM wanted) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
SELECT count(*) FROM wanted WHERE id NOT IN (SELECT id FROM locked);
