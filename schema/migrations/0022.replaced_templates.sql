-- What was said of a template is not so of another one in the same row. What the platform writes in the same statement stays.
CREATE OR REPLACE FUNCTION prime_sms_forget_replaced_template() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.quality_rating IS NOT DISTINCT FROM OLD.quality_rating THEN NEW.quality_rating := NULL; END IF;
  NEW.webhook_facts := NULL;
  NEW.webhook_facts_due_at := NULL;
  RETURN NEW;
END
$$;

-- Only where there was another template before.
CREATE OR REPLACE TRIGGER prime_sms_replaced_template
  BEFORE UPDATE OF template_id ON templates
  FOR EACH ROW
  WHEN (OLD.template_id <> '' AND NEW.template_id IS DISTINCT FROM OLD.template_id)
  EXECUTE FUNCTION prime_sms_forget_replaced_template();
