-- New databases only: an adopted one is marked as having this. Indexes and triggers follow, for both.

-- Accounts of the sending platform.
CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name varchar(255) NOT NULL,
  email varchar(255) UNIQUE NOT NULL,
  username varchar(100) UNIQUE NOT NULL,
  password varchar(255) NOT NULL,
  phone_number varchar(20),
  role varchar(20) DEFAULT 'user',
  credit_balance integer DEFAULT 0,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp DEFAULT CURRENT_TIMESTAMP
);

-- A user's WhatsApp Business account and its credentials, one a user.
CREATE TABLE user_business_info (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  business_name varchar(255),
  whatsapp_number varchar(20),
  whatsapp_number_id varchar(255),
  waba_id varchar(255),
  access_token text,
  webhook_url varchar(500),
  webhook_verify_token varchar(255),
  is_active boolean DEFAULT true,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (user_id)
);

-- Message templates as their owners write them.
CREATE TABLE templates (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name varchar(255) NOT NULL,
  category varchar(20) NOT NULL CHECK (category IN ('UTILITY', 'MARKETING', 'AUTHENTICATION')),
  language varchar(10) DEFAULT 'en_US',
  status varchar(20) DEFAULT 'DRAFT'
    CHECK (status IN ('DRAFT', 'IN_REVIEW', 'PENDING', 'ACTIVE', 'REJECTED', 'PAUSED', 'DISABLED', 'APPEAL_REQUESTED')),
  components jsonb NOT NULL,
  template_id varchar(255),
  message_send_ttl_seconds integer,
  allow_category_change boolean DEFAULT true,
  quality_rating varchar(20),
  whatsapp_response jsonb,
  rejection_reason text,
  header_type varchar(20) DEFAULT 'NONE'
    CHECK (header_type IN ('NONE', 'TEXT', 'STATIC_IMAGE', 'DYNAMIC_IMAGE', 'STATIC_VIDEO', 'DYNAMIC_VIDEO')),
  created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (user_id, name)
);

-- One bulk sending and its counts.
CREATE TABLE campaign_logs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  campaign_name varchar(255) NOT NULL,
  template_used varchar(255) NOT NULL,
  phone_number_id varchar(255),
  language_code varchar(10) DEFAULT 'en',
  total_recipients integer DEFAULT 0,
  successful_sends integer DEFAULT 0,
  failed_sends integer DEFAULT 0,
  status varchar(20) DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'paused')),
  campaign_data jsonb,
  error_message text,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp DEFAULT CURRENT_TIMESTAMP
);

-- One recipient of a campaign and what became of the message.
CREATE TABLE message_logs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  campaign_id uuid NOT NULL REFERENCES campaign_logs (id) ON DELETE CASCADE,
  recipient_number varchar(20) NOT NULL,
  message_id varchar(255),
  status varchar(20) DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'delivered', 'read', 'failed')),
  error_message text,
  api_response jsonb,
  sent_at timestamp,
  delivered_at timestamp,
  read_at timestamp,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (campaign_id, recipient_number)
);

-- Phone numbers a user may send from.
CREATE TABLE whatsapp_numbers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  phone_number_id varchar(255) NOT NULL,
  phone_number varchar(20) NOT NULL,
  display_name varchar(255),
  verified_name varchar(255),
  access_token text NOT NULL,
  webhook_url varchar(500),
  webhook_verify_token varchar(255),
  is_active boolean DEFAULT true,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (user_id, phone_number_id)
);

-- Approved templates as Meta returned them; no foreign key, because phone_number_id alone is not unique in whatsapp_numbers.
CREATE TABLE whatsapp_templates (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  phone_number_id varchar(255) NOT NULL,
  template_name varchar(255) NOT NULL,
  language varchar(10) NOT NULL,
  category varchar(50),
  status varchar(20) DEFAULT 'APPROVED',
  template_data jsonb NOT NULL,
  components jsonb,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (phone_number_id, template_name, language)
);

-- From 16 on a status update stays heap-only if only a BRIN index covers the column and the page has room; before 16, leave
-- the usual room and let the b-tree of the seed come with the other indexes (docs/schema.md has the figures).
DO $$
BEGIN
  IF current_setting('server_version_num')::integer >= 160000 THEN
    ALTER TABLE message_logs SET (fillfactor = 50);
    CREATE INDEX idx_message_logs_status ON message_logs USING brin (status);
  ELSE
    ALTER TABLE message_logs SET (fillfactor = 85);
  END IF;
END
$$;
