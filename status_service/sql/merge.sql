-- Joins a batch's evidence into message_logs, one row of parameters a message, and tells for every row that a message
-- has what became of it: position of the message in the batch, row, campaign, status before, status after, whether the row
-- was written (a row that says it all already is not), the bits of what is proven of it for the first time, recipient,
-- times, and the failure even where delivery hides it. A message with no row is in no position. Campaigns in $8 are left out.
-- The index on message ids has none that are empty, so each lookup says so.
-- Rows are locked in the order of their ids, so that two writers of ours never wait for each other; the lock also gives
-- the newest version of a row that another session has just changed. The rule itself is status_service/merge.py's, in its
-- words and order.
WITH evidence AS (
    SELECT
        position::integer AS position,
        message_id,
        timestamp 'epoch' + sent_at * interval '1 microsecond' AS sent_at,
        timestamp 'epoch' + delivered_at * interval '1 microsecond' AS delivered_at,
        timestamp 'epoch' + read_at * interval '1 microsecond' AS read_at,
        timestamp 'epoch' + failed_at * interval '1 microsecond' AS failed_at,
        error_code,
        error_message
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::integer[], $7::text[])
        WITH ORDINALITY
        AS batch (message_id, sent_at, delivered_at, read_at, failed_at, error_code, error_message, position)
),
locked AS (
    SELECT
        evidence.position,
        message.id,
        message.campaign_id,
        message.status AS stored_status,
        message.sent_at AS stored_sent_at,
        message.delivered_at AS stored_delivered_at,
        message.read_at AS stored_read_at,
        message.failed_at AS stored_failed_at,
        message.error_code AS stored_error_code,
        message.error_message AS stored_error_message,
        message.proven AS stored_proven,
        message.recipient_number,
        evidence.sent_at,
        evidence.delivered_at,
        evidence.read_at,
        evidence.failed_at,
        evidence.error_code,
        evidence.error_message
    FROM evidence
    JOIN message_logs AS message ON message.message_id = evidence.message_id AND message.message_id <> ''
    WHERE message.campaign_id <> ALL ($8::uuid[])
    ORDER BY message.id
    FOR NO KEY UPDATE OF message
),
-- The earliest evidence of each kind; a row's own later times are evidence of the earlier ones too.
joined AS (
    SELECT
        locked.*,
        least(stored_sent_at, stored_delivered_at, stored_read_at, sent_at) AS new_sent_at,
        least(stored_delivered_at, stored_read_at, delivered_at) AS new_delivered_at,
        least(stored_read_at, read_at) AS new_read_at,
        -- The stored failure stays if it is the lesser one: by time, code, text as bytes, NULL after everything.
        (
            stored_failed_at IS NULL, coalesce(stored_failed_at, 'epoch'),
            stored_error_code IS NULL, coalesce(stored_error_code, 0),
            stored_error_message IS NULL, coalesce(stored_error_message, '') COLLATE "C"
        ) <= (
            failed_at IS NULL, coalesce(failed_at, 'epoch'),
            error_code IS NULL, coalesce(error_code, 0),
            error_message IS NULL, coalesce(error_message, '') COLLATE "C"
        ) AS stored_failure_stays,
        -- Of Meta's evidence only: the times that the platform itself wrote are no events.
        (
            CASE WHEN sent_at IS NULL THEN 0 ELSE 1 END | CASE WHEN delivered_at IS NULL THEN 0 ELSE 2 END
            | CASE WHEN read_at IS NULL THEN 0 ELSE 4 END | CASE WHEN failed_at IS NULL THEN 0 ELSE 8 END
        ) AS proven
    FROM locked
),
chosen AS (
    SELECT
        joined.*,
        CASE WHEN stored_failure_stays THEN stored_failed_at ELSE failed_at END AS new_failed_at,
        CASE WHEN stored_failure_stays THEN stored_error_code ELSE error_code END AS new_error_code,
        CASE WHEN stored_failure_stays THEN stored_error_message ELSE error_message END AS new_failure_message
    FROM joined
),
-- The strongest of what the row said and what its times prove.
decided AS (
    SELECT
        chosen.*,
        CASE
            WHEN new_read_at IS NOT NULL OR stored_status = 'read' THEN 'read'
            WHEN new_delivered_at IS NOT NULL OR stored_status = 'delivered' THEN 'delivered'
            WHEN new_failed_at IS NOT NULL OR stored_status = 'failed' THEN 'failed'
            WHEN new_sent_at IS NOT NULL OR stored_status = 'sent' THEN 'sent'
            ELSE 'pending'
        END AS new_status
    FROM chosen
),
-- The error is what a user sees: none where the message arrived. A failure's own text where there is one.
described AS (
    SELECT
        decided.*,
        CASE WHEN new_status NOT IN ('delivered', 'read') THEN new_failure_message END AS new_error_message,
        proven & ~stored_proven AS first_proven
    FROM decided
),
compared AS (
    SELECT
        described.*,
        (
            stored_status, stored_sent_at, stored_delivered_at, stored_read_at,
            stored_failed_at, stored_error_code, stored_error_message
        ) IS DISTINCT FROM (
            new_status, new_sent_at, new_delivered_at, new_read_at,
            new_failed_at, new_error_code, new_error_message
        ) OR first_proven <> 0 AS changes
    FROM described
),
changed AS (
    UPDATE message_logs AS message
    SET
        status = compared.new_status,
        sent_at = compared.new_sent_at,
        delivered_at = compared.new_delivered_at,
        read_at = compared.new_read_at,
        failed_at = compared.new_failed_at,
        error_code = compared.new_error_code,
        error_message = compared.new_error_message,
        proven = compared.stored_proven | compared.first_proven
    FROM compared
    WHERE compared.changes AND message.id = compared.id
    RETURNING
        compared.position, message.id, message.campaign_id, coalesce(compared.stored_status, 'pending') AS status_before,
        message.status, compared.first_proven, message.recipient_number, message.sent_at, message.delivered_at, message.read_at,
        message.failed_at, message.error_code, compared.new_failure_message
)
SELECT
    position, id, campaign_id, status_before, status, true AS written, first_proven, recipient_number, sent_at, delivered_at,
    read_at, failed_at, error_code, new_failure_message
FROM changed
UNION ALL
SELECT position, id, campaign_id, new_status, new_status, false, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM compared
WHERE NOT changes;
