-- Which times of these messages of the campaign are set. OFFSET 0 keeps the message ids the only way to the rows: a plan by
-- the campaign would walk all of it at each poll.
SELECT
  message_id,
  sent_at IS NOT NULL AS sent_at,
  delivered_at IS NOT NULL AS delivered_at,
  read_at IS NOT NULL AS read_at,
  failed_at IS NOT NULL AS failed_at
FROM (SELECT * FROM message_logs WHERE message_id = ANY ($2::text[]) OFFSET 0) AS message
WHERE campaign_id = $1
