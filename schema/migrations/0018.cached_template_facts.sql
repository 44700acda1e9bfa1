-- What webhooks have said of cached templates.
ALTER TABLE whatsapp_templates
  ADD COLUMN IF NOT EXISTS webhook_facts jsonb,
  ADD COLUMN IF NOT EXISTS webhook_facts_due_at timestamp;
