-- What was said of a number is not so of another one in the same row.
CREATE OR REPLACE FUNCTION prime_sms_forget_replaced_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.throughput := NULL;
  NEW.messaging_limit := NULL;
  NEW.webhook_facts := NULL;
  RETURN NEW;
END
$$;

-- The columns of the seed are the platform's to fill anew.
CREATE OR REPLACE TRIGGER prime_sms_replaced_number
  BEFORE UPDATE OF phone_number_id ON whatsapp_numbers
  FOR EACH ROW
  WHEN (NEW.phone_number_id IS DISTINCT FROM OLD.phone_number_id)
  EXECUTE FUNCTION prime_sms_forget_replaced_number();
