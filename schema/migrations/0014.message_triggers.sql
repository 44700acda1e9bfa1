-- Evidence belongs to the message it came for: a row that gets another message's id starts anew. What the platform
-- writes in the same statement stays as it wrote it.
CREATE OR REPLACE FUNCTION prime_sms_forget_replaced_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.proven := 0;
  IF NEW.sent_at IS NOT DISTINCT FROM OLD.sent_at THEN NEW.sent_at := NULL; END IF;
  IF NEW.delivered_at IS NOT DISTINCT FROM OLD.delivered_at THEN NEW.delivered_at := NULL; END IF;
  IF NEW.read_at IS NOT DISTINCT FROM OLD.read_at THEN NEW.read_at := NULL; END IF;
  IF NEW.failed_at IS NOT DISTINCT FROM OLD.failed_at THEN NEW.failed_at := NULL; END IF;
  IF NEW.error_code IS NOT DISTINCT FROM OLD.error_code THEN NEW.error_code := NULL; END IF;
  IF NEW.error_message IS NOT DISTINCT FROM OLD.error_message THEN NEW.error_message := NULL; END IF;
  IF NEW.status IS NOT DISTINCT FROM OLD.status THEN NEW.status := 'pending'; END IF;
  RETURN NEW;
END
$$;

-- Only where there was another message before; a platform may write none as an empty text.
CREATE OR REPLACE TRIGGER prime_sms_replaced_message_id
  BEFORE UPDATE OF message_id ON message_logs
  FOR EACH ROW
  WHEN (OLD.message_id <> '' AND NEW.message_id IS DISTINCT FROM OLD.message_id)
  EXECUTE FUNCTION prime_sms_forget_replaced_message();

-- A status that is not ours was not counted either. Our sessions say who they are; the check costs them least when it is first.
-- Not only where the statement names the status: another trigger may have changed it, as the one above does.
CREATE OR REPLACE TRIGGER prime_sms_foreign_status
  AFTER UPDATE ON message_logs
  FOR EACH ROW
  WHEN (
    current_setting('prime_sms.writer', true) IS DISTINCT FROM 'status_service'
    AND OLD.status IS DISTINCT FROM NEW.status
  )
  EXECUTE FUNCTION prime_sms_note_changed_campaign();

-- A row that begins with a status was not counted.
CREATE OR REPLACE TRIGGER prime_sms_new_status
  AFTER INSERT ON message_logs
  FOR EACH ROW
  WHEN (NEW.status <> 'pending')
  EXECUTE FUNCTION prime_sms_note_changed_campaign();
