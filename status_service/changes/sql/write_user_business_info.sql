-- Writes what has changed of accounts, and no other column: is_active is the platform's.
UPDATE user_business_info AS business
SET
    account_state = coalesce(given.changed ->> 'account_state', business.account_state),
    account_state_reason = coalesce(given.changed ->> 'account_state_reason', business.account_state_reason),
    account_state_since = coalesce((given.changed ->> 'account_state_since')::timestamp, business.account_state_since),
    account_state_until = CASE
        WHEN given.changed ? 'account_state' THEN (given.changed ->> 'account_state_until')::timestamp
        ELSE business.account_state_until
    END,
    webhook_facts = given.facts,
    webhook_facts_due_at = given.due_at
FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::timestamp[]) AS given (id, changed, facts, due_at)
WHERE business.id = given.id;
