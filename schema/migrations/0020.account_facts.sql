-- What Meta did to an account: its state, why, since and until when. is_active stays the platform's own.
ALTER TABLE user_business_info
  ADD COLUMN IF NOT EXISTS account_state varchar(30),
  ADD COLUMN IF NOT EXISTS account_state_reason text,
  ADD COLUMN IF NOT EXISTS account_state_since timestamp,
  ADD COLUMN IF NOT EXISTS account_state_until timestamp,
  ADD COLUMN IF NOT EXISTS webhook_facts jsonb,
  ADD COLUMN IF NOT EXISTS webhook_facts_due_at timestamp;
