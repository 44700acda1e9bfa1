-- New databases only: an adopted one is marked as having this.

-- Columns without time zone that default to CURRENT_TIMESTAMP get UTC whatever the server's or a client machine's zone is.
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET timezone TO %L', current_database(), 'UTC');
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'only the owner of database % may set its time zone: sessions have to set UTC themselves, or timestamps will be local', current_database();
END
$$;
