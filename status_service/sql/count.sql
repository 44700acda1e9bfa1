-- Adds to each campaign what a batch changed, and moves it on: processing at its first status, completed when every
-- recipient is accounted for; paused and failed are the platform's. Gives the campaigns that were written. A campaign that
-- stays as it is is not written; one whose rows were written gets a revision, also where the counts
-- stay, so that it is recounted: the platform may have set those rows without counting them.
-- Rows are locked in the order of their ids, after the message rows, so that consumers never deadlock; what is
-- compared and added to is the locked row, which is newer than the statement's snapshot where the lock was waited for.
-- The lock is no stronger than an update's, so that it never waits for a platform that is inserting messages. Unless they
-- are locked already ($7 is NULL), campaigns are first asked for (migration 0016), in this statement: with a statement
-- more the campaign would be held through another turn of our event loop, and others' batches wait for it.
WITH asked AS MATERIALIZED (
    SELECT
        CASE
            WHEN $7::integer IS NOT NULL THEN
                prime_sms_lock_campaigns(
                    $7,
                    ARRAY(
                        SELECT campaign.id
                        FROM unnest($1::uuid[], $6::boolean[]) AS difference (campaign_id, rows_written)
                        JOIN campaign_logs AS campaign ON campaign.id = difference.campaign_id
                        WHERE difference.rows_written OR campaign.status IS NULL OR campaign.status = 'pending'
                    ),
                    interval '200 ms'
                )
        END
),
locked AS (
    SELECT
        campaign.id,
        campaign.total_recipients,
        campaign.status AS stored_status,
        difference.successful_sends,
        difference.failed_sends,
        difference.delivered_count,
        difference.read_count,
        difference.rows_written,
        coalesce(campaign.successful_sends, 0) + difference.successful_sends AS new_successful_sends,
        coalesce(campaign.failed_sends, 0) + difference.failed_sends AS new_failed_sends,
        campaign.delivered_count + difference.delivered_count AS new_delivered_count,
        campaign.read_count + difference.read_count AS new_read_count
    FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::integer[], $6::boolean[])
        AS difference (campaign_id, successful_sends, failed_sends, delivered_count, read_count, rows_written)
    CROSS JOIN asked
    JOIN campaign_logs AS campaign ON campaign.id = difference.campaign_id
    -- A replay touches campaigns without changing them: they are not even locked.
    WHERE difference.rows_written OR campaign.status IS NULL OR campaign.status = 'pending'
    ORDER BY campaign.id
    FOR NO KEY UPDATE OF campaign
),
moved AS (
    SELECT
        locked.*,
        CASE
            WHEN stored_status IN ('completed', 'failed', 'paused') THEN stored_status
            WHEN total_recipients > 0 AND new_successful_sends + new_failed_sends >= total_recipients THEN 'completed'
            ELSE 'processing'
        END AS new_status
    FROM locked
)
UPDATE campaign_logs AS campaign
SET
    successful_sends = moved.new_successful_sends,
    failed_sends = moved.new_failed_sends,
    delivered_count = moved.new_delivered_count,
    read_count = moved.new_read_count,
    status = moved.new_status,
    revision = campaign.revision + 1
FROM moved
WHERE campaign.id = moved.id AND (moved.rows_written OR moved.stored_status IS DISTINCT FROM moved.new_status)
RETURNING campaign.id;
