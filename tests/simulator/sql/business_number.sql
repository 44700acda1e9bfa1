-- The number the user sends from: the oldest one in use.
SELECT coalesce(account.waba_id, $2) AS waba_id, number.phone_number_id, number.phone_number
FROM users
JOIN whatsapp_numbers AS number ON number.user_id = users.id AND number.is_active
LEFT JOIN user_business_info AS account ON account.user_id = users.id
WHERE users.username = $1
ORDER BY number.created_at, number.phone_number_id
LIMIT 1
