-- Messages of a campaign whose row somebody set below what its own times prove.
SELECT DISTINCT message_id
FROM message_logs
WHERE campaign_id = $1 AND message_id IS NOT NULL
    AND CASE coalesce(status, 'pending')
        WHEN 'read' THEN false
        WHEN 'delivered' THEN read_at IS NOT NULL
        WHEN 'failed' THEN coalesce(delivered_at, read_at) IS NOT NULL
        WHEN 'sent' THEN coalesce(failed_at, delivered_at, read_at) IS NOT NULL
        ELSE coalesce(sent_at, failed_at, delivered_at, read_at) IS NOT NULL
    END
LIMIT $2;
