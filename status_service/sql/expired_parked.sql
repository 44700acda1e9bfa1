-- Entries whose time is up, the oldest first.
SELECT message_id FROM parked_statuses WHERE expires_at <= now() AT TIME ZONE 'UTC' ORDER BY expires_at LIMIT $1;
