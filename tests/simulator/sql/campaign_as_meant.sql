-- The campaign's row beside what the simulator meant.
SELECT pair.column, pair.in_campaign_logs, pair.meant
FROM campaign_logs AS campaign
CROSS JOIN meant_campaign AS meant
CROSS JOIN LATERAL (
  VALUES
    ('status', campaign.status, meant.status),
    ('successful_sends', campaign.successful_sends::text, meant.successful_sends::text),
    ('failed_sends', campaign.failed_sends::text, meant.failed_sends::text),
    ('delivered_count', campaign.delivered_count::text, meant.delivered_count::text),
    ('read_count', campaign.read_count::text, meant.read_count::text)
) AS pair ("column", in_campaign_logs, meant)
WHERE campaign.id = $1
