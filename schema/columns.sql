-- The columns of every ordinary table that the search path shows, with their types as DDL writes them.
SELECT relation.relname, attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)
FROM pg_class AS relation
JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
WHERE relation.relkind = 'r'
  AND relation.relnamespace <> 'pg_catalog'::regnamespace
  AND pg_table_is_visible(relation.oid)
  AND attribute.attnum > 0
  AND NOT attribute.attisdropped
