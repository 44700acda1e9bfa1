-- Locks cached templates of which something begins or ends by itself by now, all of them or the one that is named, but for
-- those that somebody else has locked.
SELECT
    template.id,
    jsonb_build_object('id', template.id, 'phone_number_id', template.phone_number_id)::text AS about,
    template.category,
    template.webhook_facts::text AS facts,
    jsonb_path_query_first(template.components, '$[*] ? (@.type == "HEADER" && @.format != "TEXT")')::text AS media_header
FROM whatsapp_templates AS template
WHERE template.webhook_facts_due_at <= $1 AND ($2::uuid IS NULL OR template.id = $2)
ORDER BY template.id
LIMIT 1000
FOR NO KEY UPDATE OF template SKIP LOCKED;
