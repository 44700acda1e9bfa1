-- The commonest reasons for failure.
SELECT error_code, error_message, count(*) AS messages
FROM message_logs
WHERE campaign_id = $1 AND status = 'failed'
GROUP BY error_code, error_message
ORDER BY messages DESC, error_code
LIMIT 5
