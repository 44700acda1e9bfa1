-- The next campaigns in the order of their ids.
SELECT id FROM campaign_logs WHERE id > $1 ORDER BY id LIMIT $2;
