-- What the simulator meant, for this session only.
CREATE TEMPORARY TABLE meant_messages (
  id uuid PRIMARY KEY,
  message_id text NOT NULL,
  status text NOT NULL,
  sent_at timestamp,
  delivered_at timestamp,
  read_at timestamp,
  failed_at timestamp,
  error_code integer,
  error_message text
);

-- The same of the campaign as a whole: one row.
CREATE TEMPORARY TABLE meant_campaign (
  status text NOT NULL,
  successful_sends integer NOT NULL,
  failed_sends integer NOT NULL,
  delivered_count integer NOT NULL,
  read_count integer NOT NULL
)
