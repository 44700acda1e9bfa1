-- Adds the drift, moves the campaign on by the rule of count.sql, and notes which revision was recounted: $6 is the one the drift
-- was measured at, so that a change since then is seen by the next recount. A campaign as it should be gets no revision.
WITH locked AS (
    SELECT
        id,
        status AS stored_status,
        total_recipients,
        revision,
        coalesce(successful_sends, 0) + $2 AS new_successful_sends,
        coalesce(failed_sends, 0) + $3 AS new_failed_sends,
        delivered_count + $4 AS new_delivered_count,
        read_count + $5 AS new_read_count
    FROM campaign_logs
    WHERE id = $1
    FOR NO KEY UPDATE
),
moved AS (
    SELECT
        locked.*,
        CASE
            WHEN stored_status IN ('completed', 'failed', 'paused') THEN stored_status
            WHEN total_recipients > 0 AND new_successful_sends + new_failed_sends >= total_recipients THEN 'completed'
            WHEN new_successful_sends + new_failed_sends > 0 THEN 'processing'
            ELSE stored_status
        END AS new_status
    FROM locked
),
compared AS (
    SELECT
        moved.*,
        CASE
            WHEN ($2::integer, $3::integer, $4::integer, $5::integer) <> (0, 0, 0, 0)
                OR stored_status IS DISTINCT FROM new_status THEN 1
            ELSE 0
        END AS step
    FROM moved
)
UPDATE campaign_logs AS campaign
SET
    successful_sends = compared.new_successful_sends,
    failed_sends = compared.new_failed_sends,
    delivered_count = compared.new_delivered_count,
    read_count = compared.new_read_count,
    status = compared.new_status,
    revision = compared.revision + compared.step,
    recounted_revision = $6::bigint + compared.step,
    recounted_at = now() AT TIME ZONE 'UTC'
FROM compared
WHERE campaign.id = compared.id;
