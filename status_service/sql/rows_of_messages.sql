-- How many rows each of these messages has, locked or not.
SELECT message_id, count(*) FROM message_logs WHERE message_id = ANY ($1::text[]) GROUP BY message_id;
