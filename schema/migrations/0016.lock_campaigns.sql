-- Locks campaigns for status_service, without a wait for the platform that the server knows of: it asks for so long, and returns
-- without what is still locked then. status_service holds message rows, and queueing for a campaign behind one session of the
-- platform, while another that holds it comes to want those rows, would close a circle in which the first one is the victim.
-- Sessions of ours do queue, for each other, or those who only ask would come too late again and again: for 5 s, or for
-- one where they do not ask, and go without what the queue would have given. Their locks are few, whatever the number of campaigns,
-- so that no batch fills the server's table of locks.
CREATE OR REPLACE FUNCTION prime_sms_lock_campaigns(namespace integer, campaigns uuid[], asking interval) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
  asks CONSTANT boolean := asking > interval '0';
  ends timestamptz;
  locked bigint;
BEGIN
  IF NOT asks THEN
    SET LOCAL lock_timeout = '1s';
  END IF;
  BEGIN
    PERFORM pg_advisory_xact_lock(namespace, turn)
    FROM (SELECT DISTINCT hashtext(id::text) & 63 AS turn FROM unnest(campaigns) AS campaign (id) ORDER BY turn) AS turns;
  EXCEPTION WHEN lock_not_available THEN
    IF asks THEN
      RAISE;
    END IF;
  END;
  ends := clock_timestamp() + asking;
  LOOP
    PERFORM FROM campaign_logs WHERE id = ANY (campaigns) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED;
    GET DIAGNOSTICS locked = ROW_COUNT;
    EXIT WHEN locked = cardinality(campaigns) OR clock_timestamp() >= ends;
    PERFORM pg_sleep(0.005);
  END LOOP;
END
$$;
