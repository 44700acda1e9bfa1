-- Made-up people and a campaign to look at. Rows that are there already stay as they are; every number is a fictional 555 one.

-- The two logins, primesms / Primesms and testuser / test123, as bcrypt hashes of the kind pgcrypto's crypt() verifies.
INSERT INTO users (id, name, email, username, password, phone_number, role, credit_balance) VALUES
  ('00000000-0000-4000-8000-000000000001', 'Prime SMS Administrator', 'admin@primesms.example', 'primesms',
   '$2a$10$yoL2k9TntAWBaNT2n9NSaOp603fDuBczNQmfBkaLoafrRlgZzGnou', '15550100001', 'admin', 100000),
  ('00000000-0000-4000-8000-000000000002', 'Test User', 'test@primesms.example', 'testuser',
   '$2a$10$hDxaI0YAib/pNIkAwX4Se.j6TugJBjg/cMIDheqZXr7t1jNsYK2gq', '15550100002', 'user', 1000)
ON CONFLICT DO NOTHING;

-- The WhatsApp Business account of each login.
INSERT INTO user_business_info (
  id, user_id, business_name, whatsapp_number, whatsapp_number_id, waba_id, access_token, webhook_url, webhook_verify_token
)
SELECT sample.id::uuid, users.id, business_name, whatsapp_number, whatsapp_number_id, waba_id, access_token, webhook_url, webhook_verify_token
FROM (VALUES
  ('00000000-0000-4000-8000-000000000011', 'primesms', 'Prime SMS', '15550101001', '900000000000001', '800000000000001',
   'sample-access-token-1', 'https://webhooks.primesms.example/webhooks/meta', 'sample-verify-token-1'),
  ('00000000-0000-4000-8000-000000000012', 'testuser', 'Test Shop', '15550101002', '900000000000002', '800000000000002',
   'sample-access-token-2', 'https://webhooks.primesms.example/webhooks/meta', 'sample-verify-token-2')
) AS sample (
  id, username, business_name, whatsapp_number, whatsapp_number_id, waba_id, access_token, webhook_url, webhook_verify_token
)
JOIN users USING (username)
ON CONFLICT DO NOTHING;

-- The numbers they send from; the last one is not in use.
INSERT INTO whatsapp_numbers (
  id, user_id, phone_number_id, phone_number, display_name, verified_name, access_token, webhook_url, webhook_verify_token, is_active
)
SELECT sample.id::uuid, users.id, phone_number_id, sample.phone_number, display_name, verified_name, access_token, webhook_url,
  webhook_verify_token, is_active
FROM (VALUES
  ('00000000-0000-4000-8000-000000000021', 'primesms', '900000000000001', '15550101001', 'Prime SMS', 'Prime SMS',
   'sample-access-token-1', 'https://webhooks.primesms.example/webhooks/meta', 'sample-verify-token-1', true),
  ('00000000-0000-4000-8000-000000000022', 'testuser', '900000000000002', '15550101002', 'Test Shop', 'Test Shop',
   'sample-access-token-2', 'https://webhooks.primesms.example/webhooks/meta', 'sample-verify-token-2', true),
  ('00000000-0000-4000-8000-000000000023', 'testuser', '900000000000003', '15550101003', 'Test Shop (old)', NULL,
   'sample-access-token-3', NULL, 'sample-verify-token-3', false)
) AS sample (
  id, username, phone_number_id, phone_number, display_name, verified_name, access_token, webhook_url, webhook_verify_token, is_active
)
JOIN users USING (username)
ON CONFLICT DO NOTHING;

-- Templates in three states of their life.
INSERT INTO templates (id, user_id, name, category, language, status, components, template_id, quality_rating, rejection_reason)
SELECT sample.id::uuid, users.id, sample.name, category, language, status, components::jsonb, template_id, quality_rating, rejection_reason
FROM (VALUES
  ('00000000-0000-4000-8000-000000000031', 'testuser', 'order_shipped', 'UTILITY', 'en_US', 'ACTIVE',
   '[{"type": "BODY", "text": "Hello {{1}}, your order {{2}} is on its way."}]', '700000000000001', 'GREEN', NULL),
  ('00000000-0000-4000-8000-000000000032', 'testuser', 'spring_offer', 'MARKETING', 'en_US', 'REJECTED',
   '[{"type": "BODY", "text": "Ten percent off, {{1}}!"}, {"type": "FOOTER", "text": "Reply STOP to unsubscribe"}]',
   '700000000000002', NULL, 'INVALID_FORMAT'),
  ('00000000-0000-4000-8000-000000000033', 'primesms', 'login_code', 'AUTHENTICATION', 'en_US', 'DRAFT',
   '[{"type": "BODY", "text": "{{1}} is your code."}]', NULL, NULL, NULL)
) AS sample (id, username, name, category, language, status, components, template_id, quality_rating, rejection_reason)
JOIN users USING (username)
ON CONFLICT DO NOTHING;

-- What Meta's template list said about the approved one.
INSERT INTO whatsapp_templates (id, phone_number_id, template_name, language, category, template_data, components) VALUES
  ('00000000-0000-4000-8000-000000000041', '900000000000002', 'order_shipped', 'en_US', 'UTILITY',
   '{"id": "700000000000001", "name": "order_shipped", "language": "en_US", "status": "APPROVED", "category": "UTILITY"}',
   '[{"type": "BODY", "text": "Hello {{1}}, your order {{2}} is on its way."}]'),
  ('00000000-0000-4000-8000-000000000042', '900000000000001', 'hello_world', 'en_US', 'UTILITY',
   '{"id": "700000000000004", "name": "hello_world", "language": "en_US", "status": "APPROVED", "category": "UTILITY"}',
   '[{"type": "BODY", "text": "Welcome to Prime SMS."}]')
ON CONFLICT DO NOTHING;

-- A finished campaign; its counts are those of the rows below.
INSERT INTO campaign_logs (
  id, user_id, campaign_name, template_used, phone_number_id, language_code, total_recipients, successful_sends, failed_sends,
  delivered_count, read_count, status, campaign_data, created_at, updated_at
)
SELECT '00000000-0000-4000-8000-000000000051', users.id, 'Orders of 15 January', 'order_shipped', '900000000000002', 'en_US', 8, 6, 2,
  5, 3, 'completed', '{"variables": ["name", "order"]}', '2026-01-15 09:00:00', '2026-01-15 10:12:00'
FROM users
WHERE username = 'testuser'
ON CONFLICT DO NOTHING;

-- Its messages: three read, two delivered, one sent, two failed.
INSERT INTO message_logs (
  id, campaign_id, recipient_number, message_id, status, error_message, error_code, sent_at, delivered_at, read_at, failed_at,
  proven, created_at
)
SELECT sample.id::uuid, '00000000-0000-4000-8000-000000000051', recipient_number, message_id, status, error_message, error_code,
  sent_at::timestamp, delivered_at::timestamp, read_at::timestamp, failed_at::timestamp, proven, '2026-01-15 09:00:00'
FROM (VALUES
  ('00000000-0000-4000-8000-000000000061', '15550102001', 'wamid.SAMPLE0001', 'read', NULL, NULL,
   '2026-01-15 09:00:02', '2026-01-15 09:00:04', '2026-01-15 09:03:10', NULL, 7),
  ('00000000-0000-4000-8000-000000000062', '15550102002', 'wamid.SAMPLE0002', 'read', NULL, NULL,
   '2026-01-15 09:00:02', '2026-01-15 09:00:05', '2026-01-15 09:41:57', NULL, 7),
  ('00000000-0000-4000-8000-000000000063', '15550102003', 'wamid.SAMPLE0003', 'read', NULL, NULL,
   '2026-01-15 09:00:03', '2026-01-15 09:08:30', '2026-01-15 10:12:00', NULL, 7),
  ('00000000-0000-4000-8000-000000000064', '15550102004', 'wamid.SAMPLE0004', 'delivered', NULL, NULL,
   '2026-01-15 09:00:03', '2026-01-15 09:00:06', NULL, NULL, 3),
  ('00000000-0000-4000-8000-000000000065', '15550102005', 'wamid.SAMPLE0005', 'delivered', NULL, NULL,
   '2026-01-15 09:00:03', '2026-01-15 09:22:41', NULL, NULL, 3),
  ('00000000-0000-4000-8000-000000000066', '15550102006', 'wamid.SAMPLE0006', 'sent', NULL, NULL,
   '2026-01-15 09:00:04', NULL, NULL, NULL, 1),
  ('00000000-0000-4000-8000-000000000067', '15550102007', 'wamid.SAMPLE0007', 'failed', 'Message undeliverable', 131026,
   NULL, NULL, NULL, '2026-01-15 09:00:04', 8),
  ('00000000-0000-4000-8000-000000000068', '15550102008', 'wamid.SAMPLE0008', 'failed',
   'This message was not delivered to maintain healthy ecosystem engagement.', 131049,
   '2026-01-15 09:00:04', NULL, NULL, '2026-01-15 09:00:05', 9)
) AS sample (id, recipient_number, message_id, status, error_message, error_code, sent_at, delivered_at, read_at, failed_at, proven)
ON CONFLICT DO NOTHING;
