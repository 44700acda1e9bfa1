-- The wamids that Meta answered, each into its row, in the order of the ids as everybody locks them.
WITH responses AS (
  SELECT message.id, response.message_id
  FROM unnest($1::uuid[], $2::text[]) AS response (row_id, message_id)
  JOIN message_logs AS message ON message.id = response.row_id
  ORDER BY message.id
  FOR UPDATE OF message
)
UPDATE message_logs AS message
SET message_id = responses.message_id
FROM responses
WHERE message.id = responses.id
