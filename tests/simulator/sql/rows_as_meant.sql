-- How many rows there are, how many are meant, how many pairs of the two that makes (with those that have no partner), and how
-- many pairs are the same in every column.
SELECT
  count(message.id) AS rows,
  count(meant.id) AS meant,
  count(*) AS pairs,
  count(*) FILTER (
    WHERE (
      message.id, message.message_id, message.status, message.sent_at, message.delivered_at, message.read_at,
      message.failed_at, message.error_code, message.error_message
    ) IS NOT DISTINCT FROM (
      meant.id, meant.message_id, meant.status, meant.sent_at, meant.delivered_at, meant.read_at,
      meant.failed_at, meant.error_code, meant.error_message
    )
  ) AS pairs_the_same
FROM (SELECT * FROM message_logs WHERE campaign_id = $1) AS message
FULL JOIN meant_messages AS meant ON meant.id = message.id
