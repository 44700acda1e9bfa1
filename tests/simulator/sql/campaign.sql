-- A new campaign, as the sending platform writes it before it hands its messages to Meta.
INSERT INTO campaign_logs
  (id, user_id, campaign_name, template_used, phone_number_id, language_code, total_recipients, status)
SELECT $2, id, $3, 'order_shipped', $4, 'en_US', $5, 'pending'
FROM users
WHERE username = $1
