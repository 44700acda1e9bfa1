-- Whose campaigns these are.
SELECT id, user_id FROM campaign_logs WHERE id = ANY ($1::uuid[]);
