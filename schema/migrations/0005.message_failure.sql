-- The fourth time of the merge rule, and the code behind error_message; nullable without default, so no row is rewritten.
ALTER TABLE message_logs
  ADD COLUMN IF NOT EXISTS failed_at timestamp,
  ADD COLUMN IF NOT EXISTS error_code integer;
