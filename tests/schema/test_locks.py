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
    assert migrate(hand_made_database).applied == (
        "0006.campaign_funnel",
        "0007.indexes",
        "0008.message_id_index",
        "0009.proven",
        "0010.recounted_revision",
        "0011.parked_statuses",
        "0012.status_outbox",
        "0013.changed_campaigns",
        "0014.message_triggers",
        "0015.campaign_revision_trigger",
        "0016.lock_campaigns",
        "0017.template_facts",
        "0018.cached_template_facts",
        "0019.number_facts",
        "0020.account_facts",
        "0021.replaced_accounts",
        "0022.replaced_templates",
        "0023.replaced_numbers",
        "0024.facts_indexes",
    )


@pytest.mark.parametrize(
    ("table", "migration"),
    [("message_logs", "0014.message_triggers"), ("campaign_logs", "0015.campaign_revision_trigger")],
)
def test_triggers_wait_for_an_idle_transaction_as_columns_do(
    hand_made_database: str, table: str, migration: str
) -> None:
    migrate(hand_made_database)
    forget(hand_made_database, migration)
    with psycopg.connect(hand_made_database) as other:
        other.execute(f"UPDATE {table} SET error_message = 'x'")
        with pytest.raises(SchemaError, match=f"^{migration}: another session holds a lock"):
            migrate(hand_made_database, lock_patience=0)
    assert migrate(hand_made_database).applied == (migration,)


@pytest.mark.parametrize(
    ("table", "migration"),
    [
        ("message_logs", None),
        ("message_logs", "0014.message_triggers"),
        ("campaign_logs", "0015.campaign_revision_trigger"),
    ],
)
def test_the_platform_never_waits_a_second_and_the_run_goes_on_after_it(
    hand_made_database: str, table: str, migration: str | None
) -> None:
    if migration is not None:
        migrate(hand_made_database)
        forget(hand_made_database, migration)
    enough = Event()
    waits = [0.0]

    def write() -> None:
        # The server counts, so that a busy machine's pauses are not counted in: a longer wait for a lock is an error.
        with psycopg.connect(hand_made_database, autocommit=True, options="-c lock_timeout=1s") as platform:
            while not enough.is_set():
                started = time.monotonic()
                platform.execute("UPDATE message_logs SET status = 'failed' WHERE recipient_number = '15550100001'")
                platform.execute("UPDATE campaign_logs SET failed_sends = failed_sends + 1 WHERE total_recipients = 0")
                waits.append(time.monotonic() - started)

    with psycopg.connect(hand_made_database) as idle, ThreadPoolExecutor() as executor:
        # An idle transaction keeps the migration from its lock, and what comes later queues behind the migration.
        idle.execute(f"UPDATE {table} SET status = status WHERE created_at IS NULL")
        writing = executor.submit(write)
        running = executor.submit(migrate, hand_made_database)
        try:
            wait_until(lambda: max(waits) > 0.3)
            idle.rollback()
            outcome = running.result(timeout=30)
            assert outcome.adopted if migration is None else outcome.applied == (migration,)
        finally:
            enough.set()
        writing.result(timeout=30)


def forget(url: str, migration: str) -> None:
    """Take a migration's entry away, as if a run had been killed before it: the next one does it again."""
    with psycopg.connect(url) as connection:
        assert connection.execute("DELETE FROM _yoyo_migration WHERE migration_id = %s", [migration]).rowcount == 1
