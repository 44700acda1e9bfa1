-- Those of these campaigns that no other session is publishing; the locks stay until the session gives them up.
SELECT id FROM unnest($2::uuid[]) AS campaign (id) WHERE pg_try_advisory_lock($1, hashtext(id::text));
