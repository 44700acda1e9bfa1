-- Locks the rows of a template of Meta's: those that have its id, and of the account's users those without one that have
-- its name and language, which Meta writes with a hyphen or an underscore.
SELECT
    template.id,
    jsonb_build_object('id', template.id, 'user_id', template.user_id)::text AS about,
    template.category,
    template.webhook_facts::text AS facts
FROM templates AS template
WHERE
    template.template_id = $1
    OR coalesce(template.template_id, '') = ''
    AND template.name = $3
    AND replace(template.language, '-', '_') = replace($4, '-', '_')
    AND template.user_id IN (SELECT user_id FROM user_business_info WHERE waba_id = $2)
ORDER BY template.id
FOR NO KEY UPDATE OF template;
