-- The seed's seven tables as somebody else may have typed them, a few seed indexes and a trigger short, with rows.

CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at = now();
  RETURN NEW;
END
$$;

CREATE TABLE users (
  id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_users PRIMARY KEY,
  name character varying(255) NOT NULL,
  email character varying(255) NOT NULL CONSTRAINT uq_users_email UNIQUE,
  username character varying(100) NOT NULL CONSTRAINT uq_users_username UNIQUE,
  password character varying(255) NOT NULL,
  phone_number character varying(20),
  role character varying(20) DEFAULT 'user',
  credit_balance int4 DEFAULT 0,
  last_login timestamptz,
  created_at timestamp without time zone DEFAULT now(),
  updated_at timestamp without time zone DEFAULT now()
);

CREATE TABLE user_business_info (
  id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_user_business_info PRIMARY KEY,
  user_id uuid NOT NULL CONSTRAINT one_business_a_user UNIQUE CONSTRAINT fk_business_user REFERENCES users ON DELETE CASCADE,
  business_name varchar(255),
  whatsapp_number varchar(20),
  whatsapp_number_id varchar(255),
  waba_id varchar(255),
  access_token text,
  webhook_url varchar(500),
  webhook_verify_token varchar(255),
  is_active bool DEFAULT true,
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now()
);

CREATE TABLE templates (
  id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_templates PRIMARY KEY,
  user_id uuid NOT NULL CONSTRAINT fk_templates_user REFERENCES users ON DELETE CASCADE,
  name varchar(255) NOT NULL,
  category varchar(20) NOT NULL CONSTRAINT known_category CHECK (category IN ('UTILITY', 'MARKETING', 'AUTHENTICATION')),
  language varchar(10) DEFAULT 'en_US',
  status varchar(20) DEFAULT 'DRAFT',
  components jsonb NOT NULL,
  template_id varchar(255),
  message_send_ttl_seconds integer,
  allow_category_change boolean DEFAULT true,
  quality_rating varchar(20),
  whatsapp_response jsonb,
  rejection_reason text,
  header_type varchar(20) DEFAULT 'NONE',
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now(),
  CONSTRAINT uq_templates UNIQUE (user_id, name)
);

CREATE TABLE campaign_logs (
  id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_campaign_logs PRIMARY KEY,
  user_id uuid NOT NULL CONSTRAINT fk_campaigns_user REFERENCES users ON DELETE CASCADE,
  campaign_name varchar(255) NOT NULL,
  template_used varchar(255) NOT NULL,
  phone_number_id varchar(255),
  language_code varchar(10) DEFAULT 'en',
  total_recipients integer DEFAULT 0,
  successful_sends integer DEFAULT 0,
  failed_sends integer DEFAULT 0,
  status varchar(20) DEFAULT 'pending',
  campaign_data jsonb,
  error_message text,
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now(),
  CONSTRAINT known_campaign_status CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'paused'))
);

CREATE TABLE message_logs (
  id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_message_logs PRIMARY KEY,
  campaign_id uuid NOT NULL CONSTRAINT fk_messages_campaign REFERENCES campaign_logs ON DELETE CASCADE,
  recipient_number varchar(20) NOT NULL,
  message_id varchar(255),
  status varchar(20) DEFAULT 'pending',
  error_message text,
  api_response jsonb,
  sent_at timestamp,
  delivered_at timestamp,
  read_at timestamp,
  created_at timestamp DEFAULT now(),
  CONSTRAINT known_message_status CHECK (status IN ('pending', 'sent', 'delivered', 'read', 'failed')),
  CONSTRAINT uq_messages_recipient UNIQUE (campaign_id, recipient_number)
);

CREATE TABLE whatsapp_numbers (
  id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_whatsapp_numbers PRIMARY KEY,
  user_id uuid NOT NULL CONSTRAINT fk_numbers_user REFERENCES users ON DELETE CASCADE,
  phone_number_id varchar(255) NOT NULL,
  phone_number varchar(20) NOT NULL,
  display_name varchar(255),
  verified_name varchar(255),
  access_token text NOT NULL,
  webhook_url varchar(500),
  webhook_verify_token varchar(255),
  is_active boolean DEFAULT true,
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now(),
  CONSTRAINT uq_numbers UNIQUE (user_id, phone_number_id)
);

CREATE TABLE whatsapp_templates (
  id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_whatsapp_templates PRIMARY KEY,
  phone_number_id varchar(255) NOT NULL,
  template_name varchar(255) NOT NULL,
  language varchar(10) NOT NULL,
  category varchar(50),
  status varchar(20) DEFAULT 'APPROVED',
  template_data jsonb NOT NULL,
  components jsonb,
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now(),
  CONSTRAINT uq_cached_templates UNIQUE (phone_number_id, template_name, language)
);

CREATE TABLE invoices (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id uuid REFERENCES users, cents integer);

CREATE INDEX idx_templates_user_id ON templates (user_id);
CREATE INDEX idx_templates_status ON templates (status);
CREATE INDEX idx_templates_category ON templates (category);
CREATE INDEX idx_campaign_logs_user_id ON campaign_logs (user_id);
CREATE INDEX idx_campaign_logs_status ON campaign_logs (status);
CREATE INDEX idx_message_logs_campaign_id ON message_logs (campaign_id);
CREATE INDEX idx_message_logs_status ON message_logs (status);
CREATE INDEX idx_whatsapp_numbers_user_id ON whatsapp_numbers (user_id);
CREATE INDEX idx_whatsapp_numbers_active ON whatsapp_numbers (is_active);
CREATE INDEX idx_whatsapp_templates_status ON whatsapp_templates (status);

CREATE TRIGGER update_users_updated_at BEFORE UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER update_user_business_info_updated_at BEFORE UPDATE ON user_business_info
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER update_templates_updated_at BEFORE UPDATE ON templates
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER update_campaign_logs_updated_at BEFORE UPDATE ON campaign_logs
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
CREATE TRIGGER update_whatsapp_numbers_updated_at BEFORE UPDATE ON whatsapp_numbers
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

INSERT INTO users (name, email, username, password, last_login)
SELECT 'User ' || n, n || '@example.com', 'user' || n, 'x', now() FROM generate_series(1, 5) AS n;

INSERT INTO user_business_info (user_id, waba_id, access_token, webhook_verify_token)
SELECT id, '8000', 'secret', 'verify' FROM users;

INSERT INTO templates (user_id, name, category, components)
SELECT id, 'greeting', 'UTILITY', '[]' FROM users;

INSERT INTO campaign_logs (user_id, campaign_name, template_used, total_recipients, successful_sends, status)
SELECT id, 'Campaign of ' || name, 'greeting', 400, 300, 'processing' FROM users;

INSERT INTO message_logs (campaign_id, recipient_number, message_id, status, sent_at)
SELECT id, (15550100000 + n)::text, 'wamid.' || id || n,
  CASE WHEN n <= 300 THEN 'sent' ELSE 'pending' END, CASE WHEN n <= 300 THEN now() END
FROM campaign_logs, generate_series(1, 400) AS n;

INSERT INTO whatsapp_numbers (user_id, phone_number_id, phone_number, access_token)
SELECT id, '9000', '15550100001', 'secret' FROM users;

INSERT INTO whatsapp_templates (phone_number_id, template_name, language, template_data)
VALUES ('9000', 'greeting', 'en_US', '{}');

INSERT INTO invoices (user_id, cents) SELECT id, 100 FROM users;
