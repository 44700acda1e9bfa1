-- The revision that the last recount found: a campaign whose revision is another one has changed since.
ALTER TABLE campaign_logs ADD COLUMN IF NOT EXISTS recounted_revision bigint NOT NULL DEFAULT 0;
