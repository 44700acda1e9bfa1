"""Each service's role, tried from the inside: what it may do works, everything else is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RaiseException

from deploy.local.postgres import PostgresServer
from schema.migrate import migrate
from tests.schema.campaign import create_campaign, notes
from tests.schema.test_own_tables import COLUMNS as OWN_COLUMNS
from tests.schema.test_seed import ADDITIONS, COLUMNS

Connection = psycopg.Connection[tuple[object, ...]]

# What Meta says, by the table it is written to.
FACTS = {"webhook_facts", "webhook_facts_due_at"}
TEMPLATE = {"template_id", "status", "rejection_reason", "whatsapp_response", "quality_rating", "category"}
CACHED = {"status", "category", "components"}
NUMBER = {"verified_name", "throughput", "messaging_limit"}
ACCOUNT_STATE = {"account_state", "account_state_reason", "account_state_since", "account_state_until"}

READABLE = {
    "ingest_service": {
        "user_business_info": {"webhook_verify_token", "is_active"},
        "whatsapp_numbers": {"webhook_verify_token", "is_active"},
    },
    "status_service": {
        "user_business_info": {"id", "user_id", "whatsapp_number_id", "waba_id", *ACCOUNT_STATE, *FACTS},
        "templates": {"id", "user_id", "name", "language", *TEMPLATE, *FACTS},
        "whatsapp_numbers": {"id", "user_id", "phone_number_id", "phone_number", *NUMBER, "webhook_facts"},
        "whatsapp_templates": {"id", "phone_number_id", "template_name", "language", *CACHED, *FACTS},
        "message_logs": {
            "id", "campaign_id", "message_id", "recipient_number", "status", "error_message", "sent_at", "delivered_at",
            "read_at", "failed_at", "error_code", "proven",
        },
        "campaign_logs": {
            "id", "user_id", "status", "total_recipients", "successful_sends", "failed_sends", "delivered_count",
            "read_count", "revision", "updated_at", "recounted_at", "recounted_revision", "phone_number_id",
        },
    },
}  # fmt: skip

WRITABLE: dict[str, dict[str, set[str]]] = {
    "ingest_service": {},
    "status_service": {
        "user_business_info": {*ACCOUNT_STATE, *FACTS},
        "templates": {*TEMPLATE, *FACTS},
        "whatsapp_numbers": {*NUMBER, "webhook_facts"},
        "whatsapp_templates": {*CACHED, *FACTS},
        "message_logs": {
            "message_id", "status", "error_message", "sent_at", "delivered_at", "read_at", "failed_at", "error_code",
            "proven",
        },
        "campaign_logs": {
            "status", "successful_sends", "failed_sends", "delivered_count", "read_count", "revision", "recounted_at",
            "recounted_revision",
        },
    },
}  # fmt: skip

# What each may do with the tables that are ours alone.
OWN_RIGHTS: dict[str, dict[str, set[str]]] = {
    "ingest_service": {table: set() for table in OWN_COLUMNS},
    "status_service": {
        "parked_statuses": {"SELECT", "INSERT", "UPDATE", "DELETE"},
        "status_outbox": {"SELECT", "INSERT", "UPDATE", "DELETE"},
        "changed_campaigns": {"SELECT", "DELETE"},
    },
}

STATEMENTS = Path(__file__).parents[2] / "status_service"


@contextmanager
def acting_as(connection: Connection, role: str) -> Iterator[None]:
    connection.execute(f"SET SESSION AUTHORIZATION {role}")
    yield
    connection.execute("RESET SESSION AUTHORIZATION")


def is_allowed(connection: Connection, statement: str) -> bool:
    """Try it, and leave no trace."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("role", READABLE)
def test_reads_and_writes_its_columns_and_no_other(connection: Connection, role: str) -> None:
    columns = {table: {name for name, *_ in COLUMNS[table] + ADDITIONS.get(table, [])} for table in COLUMNS}
    with acting_as(connection, role):
        readable = {
            (table, column)
            for table in columns
            for column in columns[table]
            if is_allowed(connection, f"SELECT {column} FROM {table}")
        }
        writable = {
            (table, column)
            for table in columns
            for column in columns[table]
            if is_allowed(connection, f"UPDATE {table} SET {column} = NULL WHERE false")
        }
    assert readable == {(table, column) for table in READABLE[role] for column in READABLE[role][table]}
    assert writable == {(table, column) for table in WRITABLE[role] for column in WRITABLE[role][table]}


@pytest.mark.parametrize("role", READABLE)
def test_does_with_our_own_tables_what_it_has_to(connection: Connection, role: str) -> None:
    with acting_as(connection, role):
        rights = {
            table: {
                right
                for right, statement in {
                    "SELECT": f"SELECT * FROM {table}",
                    # Explained, because a row of nothing is refused for other reasons.
                    "INSERT": f"EXPLAIN INSERT INTO {table} DEFAULT VALUES",
                    "UPDATE": f"UPDATE {table} SET {columns[0][0]} = DEFAULT WHERE false",
                    "DELETE": f"DELETE FROM {table}",
                    "TRUNCATE": f"TRUNCATE {table}",
                    "TRIGGER": f"CREATE TRIGGER own AFTER INSERT ON {table} EXECUTE FUNCTION prime_sms_next_revision()",
                    "ALTER": f"ALTER TABLE {table} ADD extra integer",
                    "DROP": f"DROP TABLE {table}",
                }.items()
                if is_allowed(connection, statement)
            }
            for table, columns in OWN_COLUMNS.items()
        }
    assert rights == OWN_RIGHTS[role]


def test_status_service_may_run_each_of_its_statements(connection: Connection) -> None:
    statements = {
        path.name: path.read_text(encoding="utf-8").rstrip().rstrip(";") for path in STATEMENTS.rglob("*.sql")
    }
    refused = []
    # Where an administrator closes functions to everybody.
    connection.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")
    with acting_as(connection, "status_service"):
        connection.execute("SET prime_sms.outbox_owner = '1'")
        for name, statement in statements.items():
            connection.execute(f"PREPARE own AS {statement}")
            row = connection.execute(
                "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'own'"
            ).fetchone()
            assert row is not None
            arguments = ", ".join(["NULL"] * int(str(row[0])))
            if not is_allowed(connection, f"EXPLAIN EXECUTE own {f'({arguments})' if arguments else ''}"):
                refused.append(name)
            connection.execute("DEALLOCATE own")
    assert statements
    assert refused == []


def test_only_status_service_takes_a_number_and_nobody_sets_it(connection: Connection) -> None:
    allowed = {}
    for role in READABLE:
        with acting_as(connection, role):
            allowed[role] = [
                statement
                for statement in (
                    "SELECT nextval('status_outbox_owner')",
                    "SELECT setval('status_outbox_owner', 1)",
                    "SELECT last_value FROM status_outbox_owner",
                    "SELECT nextval('status_outbox_id_seq')",
                    "SELECT setval('status_outbox_id_seq', 1)",
                )
                if is_allowed(connection, statement)
            ]
    assert allowed == {"ingest_service": [], "status_service": ["SELECT nextval('status_outbox_owner')"]}


@pytest.mark.parametrize("role", READABLE)
def test_does_nothing_else(connection: Connection, role: str) -> None:
    forbidden = [
        statement
        for table in (*COLUMNS, "_yoyo_migration", "_yoyo_log", "yoyo_lock")
        for statement in (
            f"SELECT * FROM {table}",
            f"INSERT INTO {table} DEFAULT VALUES",
            f"DELETE FROM {table} WHERE false",
            f"TRUNCATE {table}",
            f"COPY {table} TO STDOUT",
            f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
            f"ALTER TABLE {table} ADD extra integer",
            f"DROP TABLE {table}",
            f"CREATE INDEX ON {table} ((1))",
            f"GRANT SELECT ON {table} TO PUBLIC",
        )
    ] + [
        "CREATE TABLE own (id integer)",
        "CREATE FUNCTION own() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA own",
        "CREATE ROLE own",
        "CREATE EXTENSION pg_trgm",
        f"GRANT {role} TO pg_monitor",
        "DROP FUNCTION prime_sms_set_updated_at()",
        "DROP TRIGGER prime_sms_foreign_status ON message_logs",
        "ALTER TABLE message_logs DISABLE TRIGGER prime_sms_foreign_status",
        "SET session_replication_role = replica",
        "ALTER FUNCTION prime_sms_note_changed_campaign() RESET search_path",
        "DROP SEQUENCE status_outbox_owner",
        "SELECT pg_read_file('/etc/hostname')",
    ]
    with acting_as(connection, role):
        allowed = [statement for statement in forbidden if is_allowed(connection, statement)]
    assert allowed == []


def test_a_campaign_update_by_the_service_sets_updated_at(connection: Connection) -> None:
    with acting_as(connection, "status_service"):
        rows = connection.execute(
            "UPDATE campaign_logs SET revision = revision + 1 RETURNING updated_at = CURRENT_TIMESTAMP::timestamp"
        ).fetchall()
    assert set(rows) == {(True,)}


def test_roles_can_log_in_and_are_nothing_special(connection: Connection) -> None:
    rows = connection.execute(
        """
        SELECT rolname, rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls,
          EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid)
        FROM pg_roles WHERE rolname IN ('ingest_service', 'status_service') ORDER BY rolname
        """
    ).fetchall()
    assert rows == [("ingest_service", True, False, False), ("status_service", True, False, False)]


def test_only_status_service_shortens_deadlock_timeout(connection: Connection) -> None:
    allowed = {}
    for role in READABLE:
        with acting_as(connection, role):
            allowed[role] = is_allowed(connection, "SET deadlock_timeout = '100ms'")
    assert allowed == {"ingest_service": False, "status_service": True}


def test_a_run_takes_away_what_is_too_much(fresh_database: str) -> None:
    migrate(fresh_database)
    with psycopg.connect(fresh_database) as connection:
        connection.execute("GRANT ALL ON message_logs, users TO ingest_service")
        connection.execute("GRANT UPDATE (recipient_number) ON message_logs TO status_service")
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        connection.execute("GRANT ALL ON changed_campaigns, parked_statuses TO ingest_service, status_service")
        connection.execute("GRANT ALL ON SEQUENCE status_outbox_owner, status_outbox_id_seq TO ingest_service")
    migrate(fresh_database)
    with psycopg.connect(fresh_database) as connection:
        with acting_as(connection, "ingest_service"):
            assert not is_allowed(connection, "SELECT password FROM users")
            assert not is_allowed(connection, "DELETE FROM message_logs")
            assert not is_allowed(connection, "CREATE TABLE own (id integer)")
            assert not is_allowed(connection, "SELECT FROM parked_statuses")
            assert not is_allowed(connection, "SELECT nextval('status_outbox_owner')")
            assert not is_allowed(connection, "SELECT nextval('status_outbox_id_seq')")
        with acting_as(connection, "status_service"):
            assert not is_allowed(connection, "INSERT INTO changed_campaigns SELECT gen_random_uuid()")
            assert not is_allowed(connection, "TRUNCATE parked_statuses")
            assert not is_allowed(connection, "UPDATE message_logs SET recipient_number = ''")


def test_a_secret_that_is_open_to_everyone_ends_the_run_by_name(hand_made_database: str) -> None:
    with psycopg.connect(hand_made_database) as connection:
        connection.execute("GRANT SELECT ON users TO PUBLIC")
    with pytest.raises(RaiseException, match=r"ingest_service can read users\.password"):
        migrate(hand_made_database)


@pytest.fixture
def owner(fresh_database: str) -> Iterator[str]:
    """Give the URL of an ordinary owner, who is no superuser and may not create roles."""
    _, _, address = fresh_database.partition("@")
    with psycopg.connect(fresh_database, autocommit=True) as administrator:
        database, superuser = administrator.info.dbname, administrator.info.user
        administrator.execute("CREATE ROLE plain_owner LOGIN PASSWORD 'plain'")
        administrator.execute(f"ALTER DATABASE {database} OWNER TO plain_owner")
        yield f"postgresql://plain_owner:plain@{address}"
        administrator.execute(f"REASSIGN OWNED BY plain_owner TO {superuser}")
        administrator.execute("DROP OWNED BY plain_owner")
        administrator.execute("DROP ROLE plain_owner")


@pytest.mark.usefixtures("sample_database")
def test_an_ordinary_owner_is_told_what_needs_an_administrator(
    owner: str, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as administrator:
        administrator.execute("ALTER ROLE ingest_service RENAME TO renamed_service")
        try:
            with pytest.raises(RaiseException, match="role ingest_service is missing and plain_owner may not create"):
                migrate(owner)
        finally:
            administrator.execute("ALTER ROLE renamed_service RENAME TO ingest_service")
        administrator.execute("REVOKE SET ON PARAMETER deadlock_timeout FROM status_service")
        try:
            migrate(owner)
        finally:
            administrator.execute("GRANT SET ON PARAMETER deadlock_timeout TO status_service")
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "warning: status_service cannot shorten deadlock_timeout"
    ]


@pytest.mark.usefixtures("sample_database")
def test_the_notes_are_made_with_an_ordinary_owners_rights(owner: str, postgres: PostgresServer) -> None:
    migrate(owner)
    with psycopg.connect(owner) as platform:
        platform.execute("INSERT INTO users (name, email, username, password) VALUES ('Shop', 'shop', 'shop', '')")
        campaign = create_campaign(platform, 2)
        platform.execute("GRANT SELECT, UPDATE ON message_logs TO ingest_service")
        database = platform.info.dbname
    with psycopg.connect(postgres.url(database)) as administrator:
        with acting_as(administrator, "ingest_service"):
            administrator.execute("UPDATE message_logs SET status = 'failed'")
        assert notes(administrator, campaign) == 1
        owners = administrator.execute(
            "SELECT DISTINCT pg_get_userbyid(proowner)::text FROM pg_proc WHERE proname LIKE 'prime_sms%'"
        ).fetchall()
    assert owners == [("plain_owner",)]
