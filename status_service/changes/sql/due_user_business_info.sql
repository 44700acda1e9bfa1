-- Locks accounts of which something begins or ends by itself by now, all of them or the one that is named, but for
-- those that somebody else has locked.
SELECT
    business.id,
    jsonb_build_object('id', business.id, 'user_id', business.user_id)::text AS about,
    business.webhook_facts::text AS facts
FROM user_business_info AS business
WHERE business.webhook_facts_due_at <= $1 AND ($2::uuid IS NULL OR business.id = $2)
ORDER BY business.id
LIMIT 1000
FOR NO KEY UPDATE OF business SKIP LOCKED;
