-- The campaign as its row tells it.
SELECT total_recipients, successful_sends, delivered_count, read_count, failed_sends, status
FROM campaign_logs
WHERE id = $1
