-- Campaigns that have changed since their last recount and whose time has come ($1, seconds after that), the longest waiting first.
-- One that nobody touched since its migration is at revision 0 and stays as it is.
SELECT id
FROM campaign_logs
WHERE (revision <> recounted_revision OR id IN (SELECT campaign_id FROM changed_campaigns))
    AND (recounted_at IS NULL OR recounted_at <= now() AT TIME ZONE 'UTC' - interval '1 second' * $1::double precision)
ORDER BY recounted_at NULLS FIRST
LIMIT $2;
