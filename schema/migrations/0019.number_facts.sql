-- The throughput of a number and its portfolio's messaging limit, which the seed has no columns for.
ALTER TABLE whatsapp_numbers
  ADD COLUMN IF NOT EXISTS throughput varchar(20),
  ADD COLUMN IF NOT EXISTS messaging_limit varchar(20),
  ADD COLUMN IF NOT EXISTS webhook_facts jsonb;
