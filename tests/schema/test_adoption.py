"""A database that has the seven tables, made by other hands."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from deploy.local.postgres import PostgresServer
from schema.errors import SchemaError
from schema.migrate import Outcome, migrate
from tests.conftest import create_database, drop_database
from tests.schema.conftest import build_by_hand
from tests.schema.test_migrate import catalog
from tests.schema.test_seed import ADDED_INDEXES, ADDED_TRIGGERS, COLUMNS, INDEXES, OWN_TABLES, TRIGGERS
from tests.schema.waiting import wait_until_someone_waits

TABLES = (*COLUMNS, "invoices")


def fingerprint(url: str) -> dict[str, object]:
    """Sum up the rows of every table, as far as the seed has columns for them."""
    with psycopg.connect(url) as connection:
        return {
            table: connection.execute(
                f"SELECT count(*), md5(string_agg(ROW({columns})::text, ',' ORDER BY id)) FROM {table}"
            ).fetchone()
            for table in TABLES
            for columns in [", ".join(name for name, *_ in COLUMNS.get(table, [])) or "id, user_id, cents"]
        }


def storage(url: str) -> dict[str, object]:
    """Tell in which file each table and index lives: a rewrite or a rebuild changes it."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname, relfilenode FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
        )
        return {str(name): file for name, file in rows}


@dataclass(frozen=True, slots=True)
class Adoption:
    """A hand-made database, what was in it before its adoption, and what the adoption said."""

    url: str
    data: dict[str, object]
    files: dict[str, object]
    outcome: Outcome


@pytest.fixture(scope="module")
def adopted(postgres: PostgresServer) -> Iterator[Adoption]:
    name = create_database(postgres)
    url = postgres.url(name)
    build_by_hand(url)
    data, files = fingerprint(url), storage(url)
    yield Adoption(url, data, files, migrate(url))
    drop_database(postgres, name)


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_every_row_stays(adopted: Adoption) -> None:
    assert adopted.outcome.adopted
    assert fingerprint(adopted.url) == adopted.data


def test_nothing_is_created_or_built_anew_that_was_there(adopted: Adoption) -> None:
    files = storage(adopted.url)
    assert {name: files.get(name) for name in adopted.files} == adopted.files
    assert "0002.tables" not in adopted.outcome.applied


def test_the_missing_indexes_come_and_the_status_index_stays_a_btree(adopted: Adoption) -> None:
    assert set(storage(adopted.url)) >= set(INDEXES) | set(ADDED_INDEXES)
    rows = query(adopted.url, "SELECT pg_get_indexdef('idx_message_logs_status'::regclass)")
    assert rows == [("CREATE INDEX idx_message_logs_status ON public.message_logs USING btree (status)",)]


def test_the_missing_triggers_come_and_the_others_keep_their_function(adopted: Adoption) -> None:
    rows = query(
        adopted.url,
        "SELECT tgname, tgrelid::regclass::text, tgfoid::regproc::text FROM pg_trigger WHERE NOT tgisinternal",
    )
    added = {name: table for name, (table, _, _) in ADDED_TRIGGERS.items()}
    assert {name: table for name, table, _ in rows} == TRIGGERS | added
    functions = {str(name): function for name, _, function in rows}
    assert {name: functions.pop(name) for name in ADDED_TRIGGERS} == {
        name: function for name, (_, _, function) in ADDED_TRIGGERS.items()
    }
    assert functions.pop("update_whatsapp_templates_updated_at") == "prime_sms_set_updated_at"
    assert set(functions.values()) == {"update_updated_at_column"}


def test_the_additions_come_with_their_defaults(adopted: Adoption) -> None:
    rows = query(
        adopted.url, "SELECT delivered_count, read_count, revision, recounted_at, recounted_revision FROM campaign_logs"
    )
    assert set(rows) == {(0, 0, 0, None, 0)}
    rows = query(adopted.url, "SELECT failed_at, error_code, proven FROM message_logs")
    assert set(rows) == {(None, None, 0)}


def test_our_own_tables_come_empty(adopted: Adoption) -> None:
    for table in OWN_TABLES:
        assert query(adopted.url, f"SELECT * FROM {table}") == []


def test_what_is_written_from_now_on_is_noted(hand_made_database: str) -> None:
    migrate(hand_made_database)
    with psycopg.connect(hand_made_database) as platform:
        platform.execute("UPDATE message_logs SET status = 'failed' WHERE recipient_number = '15550100400'")
        platform.execute("UPDATE campaign_logs SET failed_sends = 1")
        noted = platform.execute("SELECT campaign_id FROM changed_campaigns").fetchall()
        changed = platform.execute("SELECT id FROM campaign_logs WHERE revision = 1").fetchall()
    assert len(noted) == 5
    assert sorted(noted, key=str) == sorted(changed, key=str)


def test_the_time_zone_is_left_to_the_owner(adopted: Adoption) -> None:
    rows = query(
        adopted.url,
        "SELECT setconfig FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
        " WHERE datname = current_database()",
    )
    assert rows == []


def test_a_second_run_changes_nothing(adopted: Adoption) -> None:
    before = catalog(adopted.url)
    outcome = migrate(adopted.url)
    assert (outcome.adopted, outcome.applied) == (False, ())
    assert catalog(adopted.url) == before


def test_additions_that_are_there_already_stay(hand_made_database: str) -> None:
    with psycopg.connect(hand_made_database) as connection:
        connection.execute("ALTER TABLE message_logs ADD error_code integer DEFAULT 7")
    migrate(hand_made_database)
    with psycopg.connect(hand_made_database) as connection:
        assert set(connection.execute("SELECT error_code FROM message_logs")) == {(7,)}


def test_every_difference_is_named_and_nothing_is_changed(hand_made_database: str) -> None:
    with psycopg.connect(hand_made_database) as connection:
        connection.execute("DROP TABLE whatsapp_templates")
        connection.execute(
            "ALTER TABLE message_logs ALTER status TYPE text, ADD error_code text, ADD proven integer, DROP read_at"
        )
        connection.execute("ALTER TABLE campaign_logs ALTER created_at TYPE timestamptz")
        connection.execute("ALTER TABLE whatsapp_numbers ADD messaging_limit integer")
        connection.execute("ALTER TABLE user_business_info ADD account_state text")
    before = catalog(hand_made_database)
    with pytest.raises(SchemaError) as refusal:
        migrate(hand_made_database)
    assert catalog(hand_made_database) == before
    with psycopg.connect(hand_made_database) as connection:
        assert connection.execute("SELECT to_regclass('yoyo_lock')").fetchone() == (None,)
    assert str(refusal.value).splitlines()[1:] == [
        "  table whatsapp_templates is missing",
        "  campaign_logs.created_at is timestamp with time zone, not timestamp without time zone",
        "  message_logs.error_code is text, not integer",
        "  message_logs.proven is integer, not smallint",
        "  message_logs.read_at is missing, not timestamp without time zone",
        "  message_logs.status is text, not character varying(20)",
        "  user_business_info.account_state is text, not character varying(30)",
        "  whatsapp_numbers.messaging_limit is integer, not character varying(20)",
    ]
    assert "Nothing was changed" in str(refusal.value)


def test_one_table_of_another_program_is_refused(fresh_database: str) -> None:
    with psycopg.connect(fresh_database) as connection:
        connection.execute("CREATE TABLE users (id serial PRIMARY KEY)")
    with pytest.raises(SchemaError, match="table campaign_logs is missing") as refusal:
        migrate(fresh_database)
    lines = str(refusal.value).splitlines()
    assert "  users.id is integer, not uuid" in lines
    assert len([line for line in lines if line.startswith("  table ")]) == 6


def test_an_index_that_a_cancelled_build_left_is_built_again(hand_made_database: str) -> None:
    with (
        psycopg.connect(hand_made_database) as writer,
        psycopg.connect(hand_made_database, autocommit=True) as builder,
    ):
        writer.execute("UPDATE message_logs SET status = 'sent' WHERE status = 'pending'")
        # Our own waiting is impatient, so that the build is the one that gives up.
        builder.execute("SET lock_timeout TO '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            builder.execute("CREATE INDEX CONCURRENTLY idx_message_logs_recipient ON message_logs (recipient_number)")
        validity = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_message_logs_recipient'::regclass"
        assert builder.execute(validity).fetchone() == (False,)
        writer.rollback()
        migrate(hand_made_database)
        assert builder.execute(validity).fetchone() == (True,)


def test_concurrent_builds_outlast_a_long_transaction(hand_made_database: str) -> None:
    with psycopg.connect(hand_made_database) as reader, ThreadPoolExecutor(1) as executor:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT count(*) FROM invoices")
        migration = executor.submit(migrate, hand_made_database)
        wait_until_someone_waits(hand_made_database, "virtualxid", seconds=0.8)
        with psycopg.connect(hand_made_database, options="-c lock_timeout=1s") as platform:
            platform.execute("UPDATE message_logs SET status = 'read'")
        reader.rollback()
        assert migration.result(timeout=30).adopted
