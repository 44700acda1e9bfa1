-- Examples of rows that are not as meant, both sides whole; of a wamid only the end, because it begins with a phone number.
SELECT
  coalesce(message.id, meant.id) AS row_id,
  to_jsonb(message) - 'id' || jsonb_build_object('message_id', '…' || right(message.message_id, 10)) AS stored,
  to_jsonb(meant) - 'id' || jsonb_build_object('message_id', '…' || right(meant.message_id, 10)) AS meant
FROM (
  SELECT id, message_id, status, sent_at, delivered_at, read_at, failed_at, error_code, error_message
  FROM message_logs
  WHERE campaign_id = $1
) AS message
FULL JOIN meant_messages AS meant ON meant.id = message.id
WHERE (
  message.id, message.message_id, message.status, message.sent_at, message.delivered_at, message.read_at,
  message.failed_at, message.error_code, message.error_message
) IS DISTINCT FROM (
  meant.id, meant.message_id, meant.status, meant.sent_at, meant.delivered_at, meant.read_at,
  meant.failed_at, meant.error_code, meant.error_message
)
LIMIT $2
