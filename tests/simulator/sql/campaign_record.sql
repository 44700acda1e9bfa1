-- What subscribers are told of a campaign.
SELECT
  id AS campaign_id,
  user_id,
  status,
  total_recipients,
  successful_sends,
  failed_sends,
  delivered_count,
  read_count,
  revision
FROM campaign_logs
WHERE id = $1
