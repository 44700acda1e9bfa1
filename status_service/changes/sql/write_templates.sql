-- Writes what has changed of templates, and no other column; a row without Meta's id gets it.
UPDATE templates AS template
SET
    template_id = CASE
        WHEN coalesce(template.template_id, '') = '' THEN coalesce($5, template.template_id)
        ELSE template.template_id
    END,
    status = coalesce(given.changed ->> 'status', template.status),
    rejection_reason = CASE
        WHEN given.changed ? 'status' THEN given.changed ->> 'rejection_reason'
        ELSE template.rejection_reason
    END,
    whatsapp_response = coalesce(given.changed -> 'whatsapp_response', template.whatsapp_response),
    quality_rating = coalesce(given.changed ->> 'quality_rating', template.quality_rating),
    category = coalesce(given.changed ->> 'category', template.category),
    webhook_facts = given.facts,
    webhook_facts_due_at = given.due_at
FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::timestamp[]) AS given (id, changed, facts, due_at)
WHERE template.id = given.id;
