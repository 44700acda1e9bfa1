-- A campaign that nobody else can write until the transaction ends.
SELECT FROM campaign_logs WHERE id = $1 FOR UPDATE
