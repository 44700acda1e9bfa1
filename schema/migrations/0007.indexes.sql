-- transactional: false

-- A concurrent build waits for older transactions; that wait holds up neither readers nor writers, so it may be long.
SET lock_timeout = '60s';

-- A user's templates.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_templates_user_id ON templates (user_id);

-- Templates in one state.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_templates_status ON templates (status);

-- Templates of one category.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_templates_category ON templates (category);

-- The template that a webhook of Meta's names.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_templates_template_id ON templates (template_id);

-- A user's campaigns.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_campaign_logs_user_id ON campaign_logs (user_id);

-- Campaigns in one state.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_campaign_logs_status ON campaign_logs (status);

-- The newest campaigns first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_campaign_logs_created_at ON campaign_logs (created_at DESC);

-- A campaign's messages.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_message_logs_campaign_id ON message_logs (campaign_id);

-- Messages in one state; a new database on 16 or later has it already, as BRIN.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_message_logs_status ON message_logs (status);

-- Messages to one person.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_message_logs_recipient ON message_logs (recipient_number);

-- A user's numbers.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_whatsapp_numbers_user_id ON whatsapp_numbers (user_id);

-- Numbers in use.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_whatsapp_numbers_active ON whatsapp_numbers (is_active);

-- Templates a number may send.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_whatsapp_templates_phone_number ON whatsapp_templates (phone_number_id);

-- Cached templates in one state.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_whatsapp_templates_status ON whatsapp_templates (status);

-- What comes after takes stronger locks.
RESET lock_timeout;
