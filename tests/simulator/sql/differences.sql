-- Examples of rows that are not as meant, both sides whole; the wamid is left out, because it holds a phone number.
SELECT
  message.id AS row_id,
  coalesce(message.message_id, meant.message_id) AS message_id,
  to_jsonb(message) - '{id,message_id}'::text[] AS stored,
  to_jsonb(meant) - 'message_id' AS meant
FROM (
  SELECT id, message_id, status, sent_at, delivered_at, read_at, failed_at, error_code, error_message
  FROM message_logs
  WHERE campaign_id = $1
) AS message
FULL JOIN meant_messages AS meant ON meant.message_id = message.message_id
WHERE (
  message.message_id, message.status, message.sent_at, message.delivered_at, message.read_at,
  message.failed_at, message.error_code, message.error_message
) IS DISTINCT FROM (
  meant.message_id, meant.status, meant.sent_at, meant.delivered_at, meant.read_at,
  meant.failed_at, meant.error_code, meant.error_message
)
LIMIT $2
