-- Writes what has changed of numbers, and no other column.
UPDATE whatsapp_numbers AS number
SET
    verified_name = coalesce(given.changed ->> 'verified_name', number.verified_name),
    throughput = coalesce(given.changed ->> 'throughput', number.throughput),
    messaging_limit = coalesce(given.changed ->> 'messaging_limit', number.messaging_limit),
    webhook_facts = given.facts
FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::timestamp[]) AS given (id, changed, facts, due_at)
WHERE number.id = given.id;
