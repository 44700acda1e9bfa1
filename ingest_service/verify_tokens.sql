-- Every verify token that an active business or number expects Meta to present.
SELECT webhook_verify_token FROM user_business_info WHERE is_active AND webhook_verify_token <> ''
UNION
SELECT webhook_verify_token FROM whatsapp_numbers WHERE is_active AND webhook_verify_token <> '';
