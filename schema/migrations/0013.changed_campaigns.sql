-- Campaigns whose messages somebody else has set to another status, noted by triggers until a recount has seen it.
-- Rows are only added and removed, never updated, so that a note never waits for another one.
CREATE TABLE IF NOT EXISTS changed_campaigns (
  campaign_id uuid NOT NULL
);

-- Notes a campaign once a transaction and run of its rows. As its owner, because the platform knows nothing of the table.
CREATE OR REPLACE FUNCTION prime_sms_note_changed_campaign() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF current_setting('prime_sms.noted', true) IS DISTINCT FROM NEW.campaign_id::text THEN
    INSERT INTO public.changed_campaigns (campaign_id) VALUES (NEW.campaign_id);
    PERFORM set_config('prime_sms.noted', NEW.campaign_id::text, true);
  END IF;
  RETURN NULL;
END
$$;
