-- Which of the named indexes a concurrent build left unfinished when it was killed.
SELECT relation.relname
FROM pg_index AS index
JOIN pg_class AS relation ON relation.oid = index.indexrelid
WHERE NOT index.indisvalid
  AND pg_table_is_visible(relation.oid)
  AND relation.relname = ANY (%s)
