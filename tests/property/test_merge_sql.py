"""The SQL says what the merge rule says: both are held against each other on a real server."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from status_service import database as databases
from status_service.merge import Evidence, Row, Status, join, merge
from status_service.store import Applied, Store
from tests.property.evidence import rows, single_evidence
from tests.told import told
from tests.unit.status_service.test_counts import counts

COLUMNS = ("sent_at", "delivered_at", "read_at", "failed_at")
# What the platform has not written has no time; PostgreSQL's own arithmetic turns ours into timestamps and back.
INSERT = """
INSERT INTO message_logs (campaign_id, recipient_number, message_id, status, sent_at, delivered_at, read_at, failed_at,
    error_code, error_message, proven)
VALUES ($1, $2, $3, $4, 'epoch'::timestamp + $5 * interval '1 us', 'epoch'::timestamp + $6 * interval '1 us',
    'epoch'::timestamp + $7 * interval '1 us', 'epoch'::timestamp + $8 * interval '1 us', $9, $10, $11)
"""
SELECT = """
SELECT message_id, status, (extract(epoch FROM sent_at) * 1000000)::bigint,
    (extract(epoch FROM delivered_at) * 1000000)::bigint, (extract(epoch FROM read_at) * 1000000)::bigint,
    (extract(epoch FROM failed_at) * 1000000)::bigint, error_code, error_message, proven
FROM message_logs WHERE campaign_id = $1
"""
CAMPAIGN = """
SELECT successful_sends, failed_sends, delivered_count, read_count, revision, status, updated_at
FROM campaign_logs WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database, reached as status_service and as its owner."""

    run: asyncio.Runner
    store: Store
    owner: asyncpg.Connection
    user_id: UUID


@pytest.fixture(scope="module")
def database(migrated_database: str, status_service_database: str) -> Iterator[Database]:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(migrated_database))
        user_id = runner.run(
            connection.fetchval(
                "INSERT INTO users (name, email, username, password) VALUES ($1, $1, $1, '') RETURNING id", str(uuid4())
            )
        )
        opened = databases.connected(status_service_database)
        store = Store(runner.run(opened.__aenter__()), parked_ttl_seconds=60)
        yield Database(runner, store, connection, user_id)
        runner.run(opened.__aexit__(None, None, None))
        runner.run(connection.close())


async def create(database: Database, messages: dict[str, Row], total: int) -> UUID:
    """Write a campaign as the platform would, with counts that equal its rows."""
    before = counts(*(row.status for row in messages.values()))
    campaign_id: UUID = await database.owner.fetchval(
        """INSERT INTO campaign_logs (user_id, campaign_name, template_used, total_recipients, successful_sends,
        failed_sends, delivered_count, read_count) VALUES ($1, '', '', $2, $3, $4, $5, $6) RETURNING id""",
        database.user_id,
        total,
        *before,
    )
    arguments = [
        (campaign_id, str(number), message_id, row.status, *row.evidence[:6], row.proven)
        for number, (message_id, row) in enumerate(messages.items())
    ]
    await database.owner.executemany(INSERT, arguments)
    return campaign_id


async def apply(database: Database, batches: list[list[tuple[str, Evidence]]]) -> list[Applied]:
    applied = []
    for batch in batches:
        folded: dict[str, Evidence] = {}
        for message_id, evidence in batch:
            folded[message_id] = join(folded[message_id], evidence) if message_id in folded else evidence
        applied.append(await database.store.apply(told(folded)))
    return applied


async def stored(database: Database, campaign_id: UUID) -> dict[str, Row]:
    return {
        record[0]: Row(Status(record[1]), Evidence(*record[2:8]), record[8])
        for record in await database.owner.fetch(SELECT, campaign_id)
    }


@settings(max_examples=150)
@given(data=st.data())
def test_any_order_duplication_and_split_ends_as_the_rule_says(database: Database, data: st.DataObject) -> None:
    messages = {f"wamid.{uuid4()}": row for row in data.draw(st.lists(rows, min_size=1, max_size=6))}
    statuses = data.draw(st.lists(st.tuples(st.sampled_from(list(messages)), single_evidence), min_size=1, max_size=12))
    disordered = data.draw(st.permutations(statuses + data.draw(st.lists(st.sampled_from(statuses), max_size=4))))
    size = data.draw(st.integers(1, len(disordered)))
    batches = [disordered[at : at + size] for at in range(0, len(disordered), size)]

    campaign_id = database.run.run(create(database, messages, total=0))
    database.run.run(apply(database, batches))

    expected = {
        message_id: reduce(merge, (evidence for other, evidence in statuses if other == message_id), row)
        for message_id, row in messages.items()
    }
    assert database.run.run(stored(database, campaign_id)) == expected
    campaign = database.run.run(database.owner.fetchrow(CAMPAIGN, campaign_id))
    assert campaign is not None
    assert campaign[:4] == counts(*(row.status for row in expected.values()))
    # A replay of everything changes nothing.
    again = database.run.run(apply(database, [statuses]))
    assert [applied.written for applied in again] == [frozenset()]
    assert database.run.run(database.owner.fetchrow(CAMPAIGN, campaign_id)) == campaign
