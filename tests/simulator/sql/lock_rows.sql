-- Rows that nobody else can write until the transaction ends.
SELECT FROM message_logs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE
