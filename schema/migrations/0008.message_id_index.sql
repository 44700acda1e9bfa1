-- transactional: false

-- A concurrent build waits for older transactions; that wait holds up neither readers nor writers, so it may be long.
SET lock_timeout = '60s';

-- Every status finds its row by the message id, and the seed has no index for it. Message ids are long and random, and
-- only looked up whole, so a hash index holds all that is needed in much less room. Without empty ones: a platform may have
-- millions, and equal keys make one chain that each insertion walks along.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_message_logs_message_id ON message_logs USING hash (message_id)
WHERE message_id <> '';

-- What comes after takes stronger locks.
RESET lock_timeout;
