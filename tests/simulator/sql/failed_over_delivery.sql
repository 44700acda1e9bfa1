-- Rows that say the message arrived become failed; nothing is counted, and their times stay.
UPDATE message_logs
SET status = 'failed'
WHERE id IN (
  SELECT id FROM message_logs WHERE id = ANY ($1::uuid[]) AND status IN ('delivered', 'read') ORDER BY id FOR UPDATE
)
