-- The platform may use pgcrypto; nothing of ours does, so a server or a role without it is no obstacle.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgcrypto' AND installed_version IS NULL) THEN
    CREATE EXTENSION pgcrypto;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'extension pgcrypto is not created: % may not create it in database %', current_user, current_database();
END
$$;
