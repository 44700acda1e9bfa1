"""Other sessions hold locks while the migrations run, and want to work meanwhile."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import psycopg
import pytest

from schema.errors import SchemaError
from schema.migrate import migrate
from tests.schema.waiting import wait_until


def test_a_table_that_stays_locked_ends_the_run_with_a_reason(hand_made_database: str) -> None:
    for table, migration in (
        ("whatsapp_templates", "0004.updated_at_triggers"),
        ("message_logs", "0005.message_failure"),
        ("campaign_logs", "0006.campaign_funnel"),
    ):
        with psycopg.connect(hand_made_database) as other:
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(SchemaError, match=f"^{migration}: another session holds a lock"):
                migrate(hand_made_database, lock_patience=0)
    assert migrate(hand_made_database).applied == ("0006.campaign_funnel", "0007.indexes", "0008.message_id_index")


def test_the_platform_never_waits_a_second_and_the_run_goes_on_after_it(hand_made_database: str) -> None:
    enough = Event()
    waits = [0.0]

    def write() -> None:
        # The server counts, so that a busy machine's pauses are not counted in: a longer wait for a lock is an error.
        with psycopg.connect(hand_made_database, autocommit=True, options="-c lock_timeout=1s") as platform:
            while not enough.is_set():
                started = time.monotonic()
                platform.execute("UPDATE message_logs SET api_response = '{}' WHERE recipient_number = '15550100001'")
                waits.append(time.monotonic() - started)

    with psycopg.connect(hand_made_database) as idle, ThreadPoolExecutor() as executor:
        # An idle transaction keeps the migration from its lock, and what comes later queues behind the migration.
        idle.execute("UPDATE message_logs SET status = 'sent' WHERE recipient_number = '15550100400'")
        writing = executor.submit(write)
        migration = executor.submit(migrate, hand_made_database)
        try:
            wait_until(lambda: max(waits) > 0.3)
            idle.rollback()
            assert migration.result(timeout=30).adopted
        finally:
            enough.set()
        writing.result(timeout=30)
