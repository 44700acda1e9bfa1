-- The rest of the funnel, a number for the newest state, and the time of the last recount; constant defaults rewrite no row.
ALTER TABLE campaign_logs
  ADD COLUMN IF NOT EXISTS delivered_count integer NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS read_count integer NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS revision bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS recounted_at timestamp;
