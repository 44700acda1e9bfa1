-- transactional: false

-- Its name is our own, so that an adopted database's function is never replaced; it writes UTC whatever the session's time zone is.
CREATE OR REPLACE FUNCTION prime_sms_set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := CURRENT_TIMESTAMP AT TIME ZONE 'UTC';
  RETURN NEW;
END
$$;

-- A trigger that is there keeps its function; each new one is committed at once, so that no two tables are locked together.
DO $$
DECLARE
  table_name text;
BEGIN
  FOREACH table_name IN ARRAY ARRAY[
    'users', 'user_business_info', 'templates', 'campaign_logs', 'whatsapp_numbers', 'whatsapp_templates'
  ] LOOP
    IF NOT EXISTS (
      SELECT FROM pg_trigger WHERE tgrelid = table_name::regclass AND tgname = format('update_%s_updated_at', table_name)
    ) THEN
      EXECUTE format(
        'CREATE TRIGGER %I BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION prime_sms_set_updated_at()',
        format('update_%s_updated_at', table_name), table_name
      );
    END IF;
    COMMIT;
  END LOOP;
END
$$;
