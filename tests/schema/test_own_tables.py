"""The tables that are ours alone, as status_service relies on them."""

import psycopg
import pytest

from tests.schema.campaign import Connection
from tests.schema.test_seed import (
    INTEGER,
    NOT_NULL,
    NULL,
    OWN_TABLES,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    UUID,
    Column,
    columns_of,
)

COLUMNS: dict[str, list[Column]] = {
    "parked_statuses": [
        ("message_id", TEXT, NOT_NULL, None),
        ("callback_id", UUID, NULL, None),
        ("phone_number_id", TEXT, NULL, None),
        ("sent_at", TIMESTAMP, NULL, None),
        ("delivered_at", TIMESTAMP, NULL, None),
        ("read_at", TIMESTAMP, NULL, None),
        ("failed_at", TIMESTAMP, NULL, None),
        ("error_code", INTEGER, NULL, None),
        ("error_message", TEXT, NULL, None),
        ("said", SMALLINT, NOT_NULL, None),
        ("parked_at", TIMESTAMP, NOT_NULL, None),
        ("expires_at", TIMESTAMP, NOT_NULL, None),
    ],
    "status_outbox": [
        ("id", "bigint", NOT_NULL, None),
        ("owner", INTEGER, NOT_NULL, None),
        ("events", "bytea", NOT_NULL, None),
    ],
    "changed_campaigns": [("campaign_id", UUID, NOT_NULL, None)],
}
PRIMARY_KEYS = {("parked_statuses", "message_id"), ("status_outbox", "id")}


def test_no_table_is_forgotten_here() -> None:
    assert set(COLUMNS) == OWN_TABLES


@pytest.mark.parametrize("table", COLUMNS)
def test_columns(connection: Connection, table: str) -> None:
    assert columns_of(connection, table) == COLUMNS[table]


def test_keys(connection: Connection) -> None:
    rows = connection.execute(
        """
        SELECT conrelid::regclass::text, attname FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        WHERE conrelid::regclass::text = ANY (%s) AND contype <> 'n'
        """,
        [list(COLUMNS)],
    )
    assert set(rows) == PRIMARY_KEYS


def test_a_batch_of_events_is_stored_as_it_is(connection: Connection) -> None:
    connection.execute("INSERT INTO status_outbox (owner, events) VALUES (1, convert_to(repeat('x', 100000), 'UTF8'))")
    row = connection.execute(
        "SELECT pg_column_size(events), pg_column_compression(events) FROM status_outbox"
    ).fetchone()
    assert row == (100000, None)


def test_entries_are_numbered_by_the_table(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.GeneratedAlways):
        connection.execute("INSERT INTO status_outbox (id, owner, events) VALUES (1, 1, '')")


def test_sessions_are_numbered_from_one_again_after_the_last_number_of_an_advisory_lock(connection: Connection) -> None:
    connection.execute("SELECT setval('status_outbox_owner', 2147483647)")
    assert connection.execute("SELECT nextval('status_outbox_owner')").fetchone() == (1,)
