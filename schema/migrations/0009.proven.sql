-- Which events a row's evidence has given, as bits: 1 sent, 2 delivered, 4 read, 8 failed. Of times alone nobody could tell Meta's
-- from the platform's own; the constant default rewrites no row.
ALTER TABLE message_logs ADD COLUMN IF NOT EXISTS proven smallint NOT NULL DEFAULT 0;
