-- transactional: false

-- A concurrent build waits for older transactions; that wait holds up neither readers nor writers, so it may be long.
SET lock_timeout = '60s';

-- Every webhook about an account, a number or a template finds its users by the account's id.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_user_business_info_waba_id ON user_business_info (waba_id);

-- Few rows wait for something to begin or end, and are asked for every few seconds.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_user_business_info_webhook_facts_due_at ON user_business_info (webhook_facts_due_at)
WHERE webhook_facts_due_at IS NOT NULL;

-- The same of templates.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_templates_webhook_facts_due_at ON templates (webhook_facts_due_at)
WHERE webhook_facts_due_at IS NOT NULL;

-- The same of cached templates.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_whatsapp_templates_webhook_facts_due_at ON whatsapp_templates (webhook_facts_due_at)
WHERE webhook_facts_due_at IS NOT NULL;

-- What comes after takes stronger locks.
RESET lock_timeout;
