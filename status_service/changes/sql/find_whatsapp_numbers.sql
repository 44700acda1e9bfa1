-- Locks the rows of an account's number, which Meta names by its digits; of all its numbers without them.
SELECT
    number.id,
    jsonb_build_object('id', number.id, 'user_id', number.user_id, 'phone_number_id', number.phone_number_id)::text AS about,
    number.webhook_facts::text AS facts
FROM whatsapp_numbers AS number
WHERE
    number.user_id IN (SELECT user_id FROM user_business_info WHERE waba_id = $1)
    AND ($2::text IS NULL OR regexp_replace(number.phone_number, '[^0-9]', '', 'g') = $2)
ORDER BY number.id
FOR NO KEY UPDATE OF number;
