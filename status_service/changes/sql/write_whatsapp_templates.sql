-- Writes what has changed of cached templates, and no other column.
UPDATE whatsapp_templates AS template
SET
    status = coalesce(given.changed ->> 'status', template.status),
    category = coalesce(given.changed ->> 'category', template.category),
    components = coalesce(given.changed -> 'components', template.components),
    webhook_facts = given.facts,
    webhook_facts_due_at = given.due_at
FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::timestamp[]) AS given (id, changed, facts, due_at)
WHERE template.id = given.id;
