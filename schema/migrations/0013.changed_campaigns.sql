-- Campaigns whose messages somebody else has set to another status, noted by triggers until a recount has seen it.
-- Rows are only added and removed, never updated, so that a note never waits for another one.
CREATE TABLE IF NOT EXISTS changed_campaigns (
  campaign_id uuid NOT NULL
);

-- Where somebody publishes all tables, for replication or change capture, a table without a key refuses to delete rows.
ALTER TABLE changed_campaigns REPLICA IDENTITY FULL;

-- Notes a campaign once a transaction, also where a statement meets the rows of up to a hundred campaigns in turn: a setting
-- that ends with the transaction, or savepoint, remembers them. A uuid's form is fixed, so none is found across two of them.
-- As its owner, because the platform knows nothing of the table; so a type that a session calls pg_temp.text must not be
-- taken for the real one, which an unnamed pg_temp would come before.
CREATE OR REPLACE FUNCTION prime_sms_note_changed_campaign() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  noted text := coalesce(current_setting('prime_sms.noted', true), '');
BEGIN
  IF strpos(noted, NEW.campaign_id::text) = 0 THEN
    INSERT INTO public.changed_campaigns (campaign_id) VALUES (NEW.campaign_id);
    PERFORM set_config('prime_sms.noted', left(NEW.campaign_id::text || noted, 100 * 36), true);
  END IF;
  RETURN NULL;
END
$$;

-- Who may put it on a table of his own could note what he likes; our triggers do not ask for the right when they fire.
REVOKE EXECUTE ON FUNCTION prime_sms_note_changed_campaign() FROM PUBLIC;
