-- Each count in campaign_logs beside the rows of message_logs counted now.
SELECT pair.count, pair.in_campaign_logs, pair.counted_in_message_logs
FROM campaign_logs AS campaign
CROSS JOIN LATERAL (
  SELECT
    count(*) AS messages,
    count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read')) AS successful,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status IN ('delivered', 'read')) AS delivered,
    count(*) FILTER (WHERE status = 'read') AS read
  FROM message_logs
  WHERE campaign_id = campaign.id
) AS counted
CROSS JOIN LATERAL (
  VALUES
    ('total_recipients', campaign.total_recipients, counted.messages),
    ('successful_sends', campaign.successful_sends, counted.successful),
    ('failed_sends', campaign.failed_sends, counted.failed),
    ('delivered_count', campaign.delivered_count, counted.delivered),
    ('read_count', campaign.read_count, counted.read)
) AS pair (count, in_campaign_logs, counted_in_message_logs)
WHERE campaign.id = $1
