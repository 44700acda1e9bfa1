-- How many messages of the campaign have a first status.
SELECT successful_sends + failed_sends FROM campaign_logs WHERE id = $1
