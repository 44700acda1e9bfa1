-- Pending rows become sent; nothing is counted.
UPDATE message_logs
SET status = 'sent'
WHERE id IN (
  SELECT id FROM message_logs WHERE id = ANY ($1::uuid[]) AND status = 'pending' ORDER BY id FOR UPDATE
)
