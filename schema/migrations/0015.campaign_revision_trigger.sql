-- Gives every change of what is published of a campaign a revision of its own, whoever makes it.
CREATE OR REPLACE FUNCTION prime_sms_next_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision := OLD.revision + 1;
  RETURN NEW;
END
$$;

-- status_service counts its own revisions. One that was read before others changed the campaign is not written over theirs.
CREATE OR REPLACE TRIGGER prime_sms_campaign_revision
  BEFORE UPDATE ON campaign_logs
  FOR EACH ROW
  WHEN (
    NEW.revision < OLD.revision
    OR NEW.revision = OLD.revision
    AND (NEW.status, NEW.total_recipients, NEW.successful_sends, NEW.failed_sends, NEW.delivered_count, NEW.read_count)
      IS DISTINCT FROM
      (OLD.status, OLD.total_recipients, OLD.successful_sends, OLD.failed_sends, OLD.delivered_count, OLD.read_count)
  )
  EXECUTE FUNCTION prime_sms_next_revision();
