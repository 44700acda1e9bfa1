-- Campaigns as they are committed.
SELECT
    id AS campaign_id, user_id, coalesce(status, 'pending') AS status, total_recipients, coalesce(successful_sends, 0) AS successful_sends,
    coalesce(failed_sends, 0) AS failed_sends, delivered_count, read_count, revision
FROM campaign_logs
WHERE id = ANY ($1::uuid[]);
