-- The user the campaign belongs to, if the sample data is not there. No hash matches this password.
INSERT INTO users (name, email, username, password)
VALUES ($1::text, $1::text || '@simulator.example', $1::text, '!')
ON CONFLICT DO NOTHING
