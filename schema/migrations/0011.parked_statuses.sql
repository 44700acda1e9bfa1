-- What Meta has told of messages that have no row (yet), folded to one entry a message; times are UTC.
CREATE TABLE IF NOT EXISTS parked_statuses (
  message_id text PRIMARY KEY,
  callback_id uuid,
  phone_number_id text,
  sent_at timestamp,
  delivered_at timestamp,
  read_at timestamp,
  failed_at timestamp,
  error_code integer,
  error_message text,
  said smallint NOT NULL,
  parked_at timestamp NOT NULL,
  expires_at timestamp NOT NULL
);

-- The sweep looks at entries by their age.
CREATE INDEX IF NOT EXISTS idx_parked_statuses_parked_at ON parked_statuses (parked_at);

-- The sweep takes away what has expired.
CREATE INDEX IF NOT EXISTS idx_parked_statuses_expires_at ON parked_statuses (expires_at);
