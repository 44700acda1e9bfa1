-- What has to be added to a campaign's counts for them to equal its rows, both read in one snapshot: a merge changes both by the
-- same, so it does not change the difference.
SELECT
    campaign.revision,
    (counted.successful_sends - coalesce(campaign.successful_sends, 0))::integer AS successful_sends,
    (counted.failed_sends - coalesce(campaign.failed_sends, 0))::integer AS failed_sends,
    (counted.delivered_count - campaign.delivered_count)::integer AS delivered_count,
    (counted.read_count - campaign.read_count)::integer AS read_count
FROM campaign_logs AS campaign
CROSS JOIN (
    SELECT
        count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read')) AS successful_sends,
        count(*) FILTER (WHERE status = 'failed') AS failed_sends,
        count(*) FILTER (WHERE status IN ('delivered', 'read')) AS delivered_count,
        count(*) FILTER (WHERE status = 'read') AS read_count
    FROM message_logs
    WHERE campaign_id = $1
) AS counted
WHERE campaign.id = $1;
