-- Locks the cached rows of a template of Meta's: those of the account's numbers that have its name and language.
SELECT
    template.id,
    jsonb_build_object('id', template.id, 'phone_number_id', template.phone_number_id)::text AS about,
    template.category,
    template.webhook_facts::text AS facts,
    jsonb_path_query_first(template.components, '$[*] ? (@.type == "HEADER" && @.format != "TEXT")')::text AS media_header
FROM whatsapp_templates AS template
WHERE
    template.template_name = $2
    AND replace(template.language, '-', '_') = replace($3, '-', '_')
    AND template.phone_number_id IN (
        SELECT whatsapp_number_id FROM user_business_info WHERE waba_id = $1
        UNION
        SELECT number.phone_number_id
        FROM whatsapp_numbers AS number
        JOIN user_business_info AS business USING (user_id)
        WHERE business.waba_id = $1
    )
ORDER BY template.id
FOR NO KEY UPDATE OF template;
