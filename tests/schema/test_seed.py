"""Every line of the customer's schema, held against the catalog of a new database."""

import re

import psycopg
import pytest

Connection = psycopg.Connection[tuple[object, ...]]
# Name, type, what it says about null, default.
Column = tuple[str, str, str, str | None]

NULL = "NULL"
NOT_NULL = "NOT NULL"
UUID = "uuid"
TEXT = "text"
JSONB = "jsonb"
INTEGER = "integer"
SMALLINT = "smallint"
BOOLEAN = "boolean"
TIMESTAMP = "timestamp without time zone"


def varchar(length: int) -> str:
    return f"character varying({length})"


ID: Column = ("id", UUID, NOT_NULL, "gen_random_uuid()")
USER_ID: Column = ("user_id", UUID, NOT_NULL, None)
CREATED_AT: Column = ("created_at", TIMESTAMP, NULL, "CURRENT_TIMESTAMP")
UPDATED_AT: Column = ("updated_at", TIMESTAMP, NULL, "CURRENT_TIMESTAMP")

COLUMNS: dict[str, list[Column]] = {
    "users": [
        ID,
        ("name", varchar(255), NOT_NULL, None),
        ("email", varchar(255), NOT_NULL, None),
        ("username", varchar(100), NOT_NULL, None),
        ("password", varchar(255), NOT_NULL, None),
        ("phone_number", varchar(20), NULL, None),
        ("role", varchar(20), NULL, "'user'"),
        ("credit_balance", INTEGER, NULL, "0"),
        CREATED_AT,
        UPDATED_AT,
    ],
    "user_business_info": [
        ID,
        USER_ID,
        ("business_name", varchar(255), NULL, None),
        ("whatsapp_number", varchar(20), NULL, None),
        ("whatsapp_number_id", varchar(255), NULL, None),
        ("waba_id", varchar(255), NULL, None),
        ("access_token", TEXT, NULL, None),
        ("webhook_url", varchar(500), NULL, None),
        ("webhook_verify_token", varchar(255), NULL, None),
        ("is_active", BOOLEAN, NULL, "true"),
        CREATED_AT,
        UPDATED_AT,
    ],
    "templates": [
        ID,
        USER_ID,
        ("name", varchar(255), NOT_NULL, None),
        ("category", varchar(20), NOT_NULL, None),
        ("language", varchar(10), NULL, "'en_US'"),
        ("status", varchar(20), NULL, "'DRAFT'"),
        ("components", JSONB, NOT_NULL, None),
        ("template_id", varchar(255), NULL, None),
        ("message_send_ttl_seconds", INTEGER, NULL, None),
        ("allow_category_change", BOOLEAN, NULL, "true"),
        ("quality_rating", varchar(20), NULL, None),
        ("whatsapp_response", JSONB, NULL, None),
        ("rejection_reason", TEXT, NULL, None),
        ("header_type", varchar(20), NULL, "'NONE'"),
        CREATED_AT,
        UPDATED_AT,
    ],
    "campaign_logs": [
        ID,
        USER_ID,
        ("campaign_name", varchar(255), NOT_NULL, None),
        ("template_used", varchar(255), NOT_NULL, None),
        ("phone_number_id", varchar(255), NULL, None),
        ("language_code", varchar(10), NULL, "'en'"),
        ("total_recipients", INTEGER, NULL, "0"),
        ("successful_sends", INTEGER, NULL, "0"),
        ("failed_sends", INTEGER, NULL, "0"),
        ("status", varchar(20), NULL, "'pending'"),
        ("campaign_data", JSONB, NULL, None),
        ("error_message", TEXT, NULL, None),
        CREATED_AT,
        UPDATED_AT,
    ],
    "message_logs": [
        ID,
        ("campaign_id", UUID, NOT_NULL, None),
        ("recipient_number", varchar(20), NOT_NULL, None),
        ("message_id", varchar(255), NULL, None),
        ("status", varchar(20), NULL, "'pending'"),
        ("error_message", TEXT, NULL, None),
        ("api_response", JSONB, NULL, None),
        ("sent_at", TIMESTAMP, NULL, None),
        ("delivered_at", TIMESTAMP, NULL, None),
        ("read_at", TIMESTAMP, NULL, None),
        CREATED_AT,
    ],
    "whatsapp_numbers": [
        ID,
        USER_ID,
        ("phone_number_id", varchar(255), NOT_NULL, None),
        ("phone_number", varchar(20), NOT_NULL, None),
        ("display_name", varchar(255), NULL, None),
        ("verified_name", varchar(255), NULL, None),
        ("access_token", TEXT, NOT_NULL, None),
        ("webhook_url", varchar(500), NULL, None),
        ("webhook_verify_token", varchar(255), NULL, None),
        ("is_active", BOOLEAN, NULL, "true"),
        CREATED_AT,
        UPDATED_AT,
    ],
    "whatsapp_templates": [
        ID,
        ("phone_number_id", varchar(255), NOT_NULL, None),
        ("template_name", varchar(255), NOT_NULL, None),
        ("language", varchar(10), NOT_NULL, None),
        ("category", varchar(50), NULL, None),
        ("status", varchar(20), NULL, "'APPROVED'"),
        ("template_data", JSONB, NOT_NULL, None),
        ("components", JSONB, NULL, None),
        CREATED_AT,
        UPDATED_AT,
    ],
}

# The tables that are ours alone; test_own_tables.py looks into them.
OWN_TABLES = {"parked_statuses", "status_outbox", "changed_campaigns"}

FACTS: list[Column] = [("webhook_facts", "jsonb", NULL, None), ("webhook_facts_due_at", TIMESTAMP, NULL, None)]

# What the migrations add to the seed.
ADDITIONS: dict[str, list[Column]] = {
    "user_business_info": [
        ("account_state", "character varying(30)", NULL, None),
        ("account_state_reason", "text", NULL, None),
        ("account_state_since", TIMESTAMP, NULL, None),
        ("account_state_until", TIMESTAMP, NULL, None),
        *FACTS,
    ],
    "templates": FACTS,
    "whatsapp_numbers": [
        ("throughput", "character varying(20)", NULL, None),
        ("messaging_limit", "character varying(20)", NULL, None),
        FACTS[0],
    ],
    "whatsapp_templates": FACTS,
    "campaign_logs": [
        ("delivered_count", INTEGER, NOT_NULL, "0"),
        ("read_count", INTEGER, NOT_NULL, "0"),
        ("revision", "bigint", NOT_NULL, "0"),
        ("recounted_at", TIMESTAMP, NULL, None),
        ("recounted_revision", "bigint", NOT_NULL, "0"),
    ],
    "message_logs": [
        ("failed_at", TIMESTAMP, NULL, None),
        ("error_code", INTEGER, NULL, None),
        ("proven", SMALLINT, NOT_NULL, "0"),
    ],
}

UNIQUES: dict[str, set[tuple[str, ...]]] = {
    "users": {("email",), ("username",)},
    "user_business_info": {("user_id",)},
    "templates": {("user_id", "name")},
    "campaign_logs": set(),
    "message_logs": {("campaign_id", "recipient_number")},
    "whatsapp_numbers": {("user_id", "phone_number_id")},
    "whatsapp_templates": {("phone_number_id", "template_name", "language")},
}

FOREIGN_KEYS = {
    ("user_business_info", "user_id", "users"),
    ("templates", "user_id", "users"),
    ("campaign_logs", "user_id", "users"),
    ("message_logs", "campaign_id", "campaign_logs"),
    ("whatsapp_numbers", "user_id", "users"),
}

CHECKS = {
    ("templates", "category"): {"UTILITY", "MARKETING", "AUTHENTICATION"},
    ("templates", "status"): {
        "DRAFT", "IN_REVIEW", "PENDING", "ACTIVE", "REJECTED", "PAUSED", "DISABLED", "APPEAL_REQUESTED",
    },
    ("templates", "header_type"): {
        "NONE", "TEXT", "STATIC_IMAGE", "DYNAMIC_IMAGE", "STATIC_VIDEO", "DYNAMIC_VIDEO",
    },
    ("campaign_logs", "status"): {"pending", "processing", "completed", "failed", "paused"},
    ("message_logs", "status"): {"pending", "sent", "delivered", "read", "failed"},
}  # fmt: skip

INDEXES = {
    "idx_templates_user_id": "templates USING btree (user_id)",
    "idx_templates_status": "templates USING btree (status)",
    "idx_templates_category": "templates USING btree (category)",
    "idx_templates_template_id": "templates USING btree (template_id)",
    "idx_campaign_logs_user_id": "campaign_logs USING btree (user_id)",
    "idx_campaign_logs_status": "campaign_logs USING btree (status)",
    "idx_campaign_logs_created_at": "campaign_logs USING btree (created_at DESC)",
    "idx_message_logs_campaign_id": "message_logs USING btree (campaign_id)",
    "idx_message_logs_status": "message_logs USING btree (status)",
    "idx_message_logs_recipient": "message_logs USING btree (recipient_number)",
    "idx_whatsapp_numbers_user_id": "whatsapp_numbers USING btree (user_id)",
    "idx_whatsapp_numbers_active": "whatsapp_numbers USING btree (is_active)",
    "idx_whatsapp_templates_phone_number": "whatsapp_templates USING btree (phone_number_id)",
    "idx_whatsapp_templates_status": "whatsapp_templates USING btree (status)",
}

DUE = "USING btree (webhook_facts_due_at) WHERE (webhook_facts_due_at IS NOT NULL)"

# What the migrations add to the seed's indexes.
ADDED_INDEXES = {
    "idx_message_logs_message_id": "message_logs USING hash (message_id) WHERE ((message_id)::text <> ''::text)",
    "idx_parked_statuses_parked_at": "parked_statuses USING btree (parked_at)",
    "idx_parked_statuses_expires_at": "parked_statuses USING btree (expires_at)",
    "idx_user_business_info_waba_id": "user_business_info USING btree (waba_id)",
    "idx_user_business_info_webhook_facts_due_at": f"user_business_info {DUE}",
    "idx_templates_webhook_facts_due_at": f"templates {DUE}",
    "idx_whatsapp_templates_webhook_facts_due_at": f"whatsapp_templates {DUE}",
}

TRIGGERS = {
    "update_users_updated_at": "users",
    "update_user_business_info_updated_at": "user_business_info",
    "update_templates_updated_at": "templates",
    "update_campaign_logs_updated_at": "campaign_logs",
    "update_whatsapp_numbers_updated_at": "whatsapp_numbers",
    "update_whatsapp_templates_updated_at": "whatsapp_templates",
}

# What the migrations add to the seed's triggers: the table, and what the trigger calls and when.
ADDED_TRIGGERS = {
    "prime_sms_replaced_message_id": (
        "message_logs", "BEFORE UPDATE OF message_id", "prime_sms_forget_replaced_message",
    ),
    "prime_sms_foreign_status": ("message_logs", "AFTER UPDATE", "prime_sms_note_changed_campaign"),
    "prime_sms_new_status": ("message_logs", "AFTER INSERT", "prime_sms_note_changed_campaign"),
    "prime_sms_replaced_account": (
        "user_business_info", "BEFORE UPDATE OF waba_id", "prime_sms_forget_replaced_account",
    ),
    "prime_sms_replaced_template": ("templates", "BEFORE UPDATE OF template_id", "prime_sms_forget_replaced_template"),
    "prime_sms_replaced_number": (
        "whatsapp_numbers", "BEFORE UPDATE OF phone_number_id", "prime_sms_forget_replaced_number",
    ),
    "prime_sms_campaign_revision": ("campaign_logs", "BEFORE UPDATE", "prime_sms_next_revision"),
}  # fmt: skip


def test_the_tables_are_the_seeds_ours_and_the_migration_librarys(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    names = {str(name) for (name,) in rows}
    assert {name for name in names if "yoyo" not in name} == set(COLUMNS) | OWN_TABLES


def columns_of(connection: Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(
        """
        SELECT attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' ELSE 'NULL' END,
          replace(pg_get_expr(adbin, adrelid), '::character varying', '')
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
        """,
        [table],
    ).fetchall()


@pytest.mark.parametrize("table", COLUMNS)
def test_columns(connection: Connection, table: str) -> None:
    assert columns_of(connection, table) == COLUMNS[table] + ADDITIONS.get(table, [])


@pytest.mark.parametrize("table", COLUMNS)
def test_keys(connection: Connection, table: str) -> None:
    rows = connection.execute(
        """
        SELECT contype::text, array_agg(attname::text ORDER BY place)
        FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS key (number, place)
        JOIN pg_attribute ON attnum = number
        WHERE conrelid = %s::regclass AND attrelid = conrelid AND contype IN ('p', 'u') AND convalidated
        GROUP BY pg_constraint.oid
        """,
        [table],
    ).fetchall()
    assert [columns for kind, columns in rows if kind == "p"] == [["id"]]
    uniques = [tuple(columns) for kind, columns in rows if kind == "u" and isinstance(columns, list)]
    assert sorted(uniques) == sorted(UNIQUES[table])


def test_foreign_keys_cascade(connection: Connection) -> None:
    rows = connection.execute(
        """
        SELECT conrelid::regclass::text, source.attname, confrelid::regclass::text, target.attname, confdeltype::text
        FROM pg_constraint
        JOIN pg_attribute AS source ON source.attrelid = conrelid AND source.attnum = conkey[1]
        JOIN pg_attribute AS target ON target.attrelid = confrelid AND target.attnum = confkey[1]
        WHERE contype = 'f' AND cardinality(conkey) = 1
        """
    ).fetchall()
    cascade = "c"
    assert sorted(rows) == sorted((table, column, target, "id", cascade) for table, column, target in FOREIGN_KEYS)


def test_deleting_a_user_takes_everything_of_theirs_along(connection: Connection) -> None:
    tables = ("user_business_info", "templates", "campaign_logs", "message_logs", "whatsapp_numbers")
    before = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]
    connection.execute("DELETE FROM users")
    after = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]
    assert (0,) not in before
    assert after == [(0,)] * len(tables)


def test_checks(connection: Connection) -> None:
    rows = connection.execute(
        """
        SELECT conrelid::regclass::text, attname, pg_get_constraintdef(pg_constraint.oid)
        FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        WHERE contype = 'c' AND cardinality(conkey) = 1 AND connamespace = 'public'::regnamespace
        """
    ).fetchall()
    assert {(table, column): set(re.findall(r"'(\w+)'", str(text))) for table, column, text in rows} == CHECKS


@pytest.mark.parametrize(("table", "column"), CHECKS)
def test_a_check_refuses_other_values(connection: Connection, table: str, column: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(f"UPDATE {table} SET {column} = 'OTHER'")


def test_indexes(connection: Connection) -> None:
    rows = connection.execute(
        """
        SELECT relname, pg_get_indexdef(indexrelid), indisvalid AND indisready
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
          AND relnamespace = 'public'::regnamespace
        """
    ).fetchall()
    expected = INDEXES | ADDED_INDEXES
    if connection.info.server_version >= 160000:
        # The one deviation from the seed.
        expected["idx_message_logs_status"] = "message_logs USING brin (status)"
    assert {name: text for name, text, _ in rows} == {
        name: f"CREATE INDEX {name} ON public.{rest}" for name, rest in expected.items()
    }
    assert all(usable for _, _, usable in rows)


def test_pages_of_message_logs_leave_room_for_updates(connection: Connection) -> None:
    row = connection.execute("SELECT reloptions FROM pg_class WHERE oid = 'message_logs'::regclass").fetchone()
    assert row == (["fillfactor=50" if connection.info.server_version >= 160000 else "fillfactor=85"],)


def test_triggers(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    ).fetchall()
    expected = {name: (table, "BEFORE UPDATE", "prime_sms_set_updated_at") for name, table in TRIGGERS.items()}
    pattern = re.compile(r" (BEFORE|AFTER) (.+) ON public\.\w+ FOR EACH ROW .*EXECUTE FUNCTION (\w+)\(\)$")
    actual = {}
    for name, table, definition in rows:
        match = pattern.search(str(definition))
        assert match is not None
        actual[name] = (table, f"{match[1]} {match[2]}", match[3])
    assert actual == expected | ADDED_TRIGGERS


@pytest.mark.parametrize("table", TRIGGERS.values())
def test_an_update_sets_updated_at_in_utc_whatever_the_sessions_zone(connection: Connection, table: str) -> None:
    connection.execute("SET LOCAL timezone TO 'Pacific/Kiritimati'")
    rows = connection.execute(
        f"UPDATE {table} SET created_at = created_at RETURNING updated_at = CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
    ).fetchall()
    assert rows
    assert set(rows) == {(True,)}


def test_sessions_of_a_new_database_default_to_utc(connection: Connection) -> None:
    row = connection.execute("SELECT setting, source FROM pg_settings WHERE name = 'TimeZone'").fetchone()
    assert row == ("UTC", "database")


def test_pgcrypto_is_there_where_the_server_has_it(connection: Connection) -> None:
    row = connection.execute(
        "SELECT count(*) = count(installed_version) FROM pg_available_extensions WHERE name = 'pgcrypto'"
    ).fetchone()
    assert row == (True,)
