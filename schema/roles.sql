-- What each service's role may do, and nothing else. Applied as one transaction at the end of every migration run.

-- The roles belong to the whole server: another database's migration may have created them, also in this very moment.
DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['ingest_service', 'status_service'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I LOGIN', role_name);
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN
          NULL;
        WHEN insufficient_privilege THEN
          RAISE EXCEPTION 'role % is missing and % may not create roles; let an administrator run: CREATE ROLE ingest_service LOGIN; CREATE ROLE status_service LOGIN;',
            role_name, current_user;
      END;
    END IF;
  END LOOP;
END
$$;

-- A schema that came from PostgreSQL 14 or older lets everyone create objects in it, so also our services.
DO $$
BEGIN
  IF has_schema_privilege('public', 'public', 'CREATE') THEN
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    IF has_schema_privilege('public', 'public', 'CREATE') THEN
      RAISE insufficient_privilege;
    END IF;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE EXCEPTION 'everyone may create objects in schema public and % may not change that; let its owner run: REVOKE CREATE ON SCHEMA public FROM PUBLIC;',
    current_user;
END
$$;

-- Both may log in to this database, also where PUBLIC may not.
DO $$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO ingest_service, status_service', current_database());
END
$$;

-- Both find the tables, also where PUBLIC does not.
GRANT USAGE ON SCHEMA public TO ingest_service, status_service;

-- Whatever was granted before goes, with its column grants, so that a run ends in exactly what follows.
REVOKE ALL ON
  users, user_business_info, templates, campaign_logs, message_logs, whatsapp_numbers, whatsapp_templates,
  parked_statuses, status_outbox, changed_campaigns
  FROM ingest_service, status_service;

-- The same for the numbers of sessions and entries.
REVOKE ALL ON SEQUENCE status_outbox_owner, status_outbox_id_seq FROM ingest_service, status_service;

-- ingest_service answers Meta's verification with the tokens of the active accounts.
GRANT SELECT (webhook_verify_token, is_active) ON user_business_info TO ingest_service;

-- ingest_service answers Meta's verification with the tokens of the active numbers.
GRANT SELECT (webhook_verify_token, is_active) ON whatsapp_numbers TO ingest_service;

-- status_service merges a status into its message's row.
GRANT
  SELECT (
    id, campaign_id, message_id, recipient_number, status, error_message, sent_at, delivered_at, read_at, failed_at, error_code,
    proven
  ),
  UPDATE (message_id, status, error_message, sent_at, delivered_at, read_at, failed_at, error_code, proven)
  ON message_logs TO status_service;

-- status_service counts the campaign; the trigger writes updated_at, which needs no grant.
GRANT
  SELECT (
    id, user_id, status, phone_number_id, total_recipients, successful_sends, failed_sends, delivered_count, read_count, revision,
    updated_at, recounted_at, recounted_revision
  ),
  UPDATE (status, successful_sends, failed_sends, delivered_count, read_count, revision, recounted_at, recounted_revision)
  ON campaign_logs TO status_service;

-- status_service tells the numbers that are ours from others on the same account, finds the one that Meta speaks of, and writes
-- what it says.
GRANT
  SELECT (id, user_id, phone_number_id, phone_number, verified_name, throughput, messaging_limit, webhook_facts),
  UPDATE (verified_name, throughput, messaging_limit, webhook_facts)
  ON whatsapp_numbers TO status_service;

-- status_service tells the numbers that are ours from others, also where only the account names one; it knows accounts by Meta's
-- id, and writes what Meta does to them.
GRANT
  SELECT (
    id, user_id, whatsapp_number_id, waba_id, account_state, account_state_reason, account_state_since, account_state_until,
    webhook_facts, webhook_facts_due_at
  ),
  UPDATE (
    account_state, account_state_reason, account_state_since, account_state_until, webhook_facts, webhook_facts_due_at
  )
  ON user_business_info TO status_service;

-- status_service finds the template that Meta speaks of, and writes what it says.
GRANT
  SELECT (
    id, user_id, name, language, template_id, status, rejection_reason, whatsapp_response, quality_rating, category, webhook_facts,
    webhook_facts_due_at
  ),
  UPDATE (
    template_id, status, rejection_reason, whatsapp_response, quality_rating, category, webhook_facts, webhook_facts_due_at
  )
  ON templates TO status_service;

-- The same in the cache.
GRANT
  SELECT (
    id, phone_number_id, template_name, language, status, category, components, webhook_facts, webhook_facts_due_at
  ),
  UPDATE (status, category, components, webhook_facts, webhook_facts_due_at)
  ON whatsapp_templates TO status_service;

-- status_service parks statuses without a row, keeps its outbox, and takes the notes of campaigns that others changed.
GRANT SELECT, INSERT, UPDATE, DELETE ON parked_statuses, status_outbox TO status_service;

-- The notes come from a trigger.
GRANT SELECT, DELETE ON changed_campaigns TO status_service;

-- status_service locks campaigns without queueing for them, also where PUBLIC may run no function.
GRANT EXECUTE ON FUNCTION prime_sms_lock_campaigns(integer, uuid[], interval) TO status_service;

-- Each session that publishes takes a number.
GRANT USAGE ON SEQUENCE status_outbox_owner TO status_service;

-- An older grant to PUBLIC, or a role the service was made a member of, must not open what is closed here.
DO $$
DECLARE
  opening text;
BEGIN
  SELECT string_agg(format('%s can read %s.%s', role_name, table_name, column_name), ', ')
  INTO opening
  FROM unnest(ARRAY['ingest_service', 'status_service']) AS role_name
  CROSS JOIN (
    VALUES ('users', 'password'), ('user_business_info', 'access_token'), ('whatsapp_numbers', 'access_token')
  ) AS secret (table_name, column_name)
  WHERE has_column_privilege(role_name, table_name, column_name, 'SELECT');
  IF opening IS NOT NULL THEN
    RAISE EXCEPTION '%; revoke the grant to PUBLIC, the membership or the attribute it comes from', opening;
  END IF;
END
$$;

-- With a short deadlock_timeout our sessions are the ones that find a deadlock and repeat, not the platform's.
DO $$
BEGIN
  IF NOT has_parameter_privilege('status_service', 'deadlock_timeout', 'SET') THEN
    GRANT SET ON PARAMETER deadlock_timeout TO status_service;
  END IF;
EXCEPTION
  WHEN unique_violation THEN
    NULL;
  WHEN insufficient_privilege THEN
    RAISE WARNING 'status_service cannot shorten deadlock_timeout; a superuser may run: GRANT SET ON PARAMETER deadlock_timeout TO status_service;';
END
$$;
