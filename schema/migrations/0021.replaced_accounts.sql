-- What was said of an account is not so of another one. What the platform writes in the same statement stays as it wrote it.
CREATE OR REPLACE FUNCTION prime_sms_forget_replaced_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.account_state := NULL;
  NEW.account_state_reason := NULL;
  NEW.account_state_since := NULL;
  NEW.account_state_until := NULL;
  NEW.webhook_facts := NULL;
  NEW.webhook_facts_due_at := NULL;
  RETURN NEW;
END
$$;

-- Only where there was another account before.
CREATE OR REPLACE TRIGGER prime_sms_replaced_account
  BEFORE UPDATE OF waba_id ON user_business_info
  FOR EACH ROW
  WHEN (OLD.waba_id <> '' AND NEW.waba_id IS DISTINCT FROM OLD.waba_id)
  EXECUTE FUNCTION prime_sms_forget_replaced_account();
