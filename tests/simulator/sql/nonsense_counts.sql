-- The counts are what the platform believes.
UPDATE campaign_logs SET successful_sends = $2, failed_sends = $3 WHERE id = $1
