-- Events of committed transactions that Kafka may not have yet, one row a batch; owner is the session that publishes them.
CREATE TABLE IF NOT EXISTS status_outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner integer NOT NULL,
  events bytea NOT NULL
);

-- JSON of thousands of events would be compressed, which costs more than it saves: a row lives for a moment.
ALTER TABLE status_outbox ALTER COLUMN events SET STORAGE EXTERNAL;

-- A number for each session that ever owned entries; it holds an advisory lock of that number while it lives.
CREATE SEQUENCE IF NOT EXISTS status_outbox_owner AS integer CYCLE;
