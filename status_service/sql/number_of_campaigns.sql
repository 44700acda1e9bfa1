-- How many campaigns there are, for a progress bar.
SELECT count(*) FROM campaign_logs;
