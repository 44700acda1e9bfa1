-- A new campaign, as the sending platform leaves it when all messages are handed to Meta.
INSERT INTO campaign_logs (user_id, campaign_name, template_used, phone_number_id, language_code, total_recipients, status)
SELECT id, $2, 'order_shipped', $3, 'en_US', $4, 'pending'
FROM users
WHERE username = $1
RETURNING id
