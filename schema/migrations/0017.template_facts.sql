-- What Meta's webhooks have said of a template: a time and a value for each fact that changes by itself, so that the newest counts
-- in whatever order they come; and when the next of them begins.
ALTER TABLE templates
  ADD COLUMN IF NOT EXISTS webhook_facts jsonb,
  ADD COLUMN IF NOT EXISTS webhook_facts_due_at timestamp;
