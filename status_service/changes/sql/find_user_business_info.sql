-- Locks the rows of an account, one for each of its users.
SELECT
    business.id,
    jsonb_build_object('id', business.id, 'user_id', business.user_id)::text AS about,
    business.webhook_facts::text AS facts
FROM user_business_info AS business
WHERE business.waba_id = $1
ORDER BY business.id
FOR NO KEY UPDATE OF business;
