"""The store on real servers: concurrent writers, rows the platform has touched, session settings that last."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from status_service import database, merge
from status_service.merge import Evidence
from status_service.store import Applied, Store
from tests.integration.campaigns import campaign_row, create_campaign, statuses_of
from tests.told import told

AT = 1_790_812_812 * 1_000_000


@pytest.fixture
async def owner(migrated_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(migrated_database)
    yield connection
    await connection.close()


@pytest.fixture
async def one(status_service_database: str) -> AsyncIterator[Store]:
    async with database.connected(status_service_database) as opened:
        yield Store(opened, parked_ttl_seconds=60)


@pytest.fixture
async def other(status_service_database: str) -> AsyncIterator[Store]:
    async with database.connected(status_service_database) as opened:
        yield Store(opened, parked_ttl_seconds=60)


def outcome(applied: Applied) -> tuple[int, int, int]:
    """Give how many rows were written, how many said it all already, how many messages have none."""
    return len(applied.written), applied.unchanged, applied.without_row


async def counts_equal_rows(owner: asyncpg.Connection, campaign_id: UUID) -> bool:
    return bool(
        await owner.fetchval(
            """SELECT (c.successful_sends, c.failed_sends, c.delivered_count, c.read_count) = (SELECT
            count(*) FILTER (WHERE m.status IN ('sent', 'delivered', 'read')),
            count(*) FILTER (WHERE m.status = 'failed'),
            count(*) FILTER (WHERE m.status IN ('delivered', 'read')),
            count(*) FILTER (WHERE m.status = 'read')
            FROM message_logs AS m WHERE m.campaign_id = c.id) FROM campaign_logs AS c WHERE c.id = $1""",
            campaign_id,
        )
    )


async def test_two_writers_of_the_same_messages_lose_and_double_nothing(
    owner: asyncpg.Connection, one: Store, other: Store
) -> None:
    wamids = [f"race.{number}" for number in range(500)]
    campaign_id = await create_campaign(owner, wamids)
    chance = random.Random(1)

    async def write(writer: Store) -> None:
        for _ in range(20):
            chosen = chance.sample(wamids, 200)
            kinds = (merge.of_sent, merge.of_delivered, merge.of_read)
            evidence: dict[str, Evidence] = {wamid: chance.choice(kinds)(AT + chance.randrange(3)) for wamid in chosen}
            evidence |= {wamid: merge.of_failed(AT, 131026, "no") for wamid in chosen[:50]}
            await writer.apply(told(evidence))

    # Rows and campaigns are locked in one order, so neither is ever a deadlock's victim.
    await asyncio.gather(write(one), write(other))
    assert await counts_equal_rows(owner, campaign_id)
    assert set((await statuses_of(owner, campaign_id)).values()) <= {"sent", "delivered", "read", "failed"}


async def test_a_row_without_a_status_counts_as_pending(owner: asyncpg.Connection, one: Store) -> None:
    campaign_id = await create_campaign(owner, ["null"])
    await owner.execute("UPDATE message_logs SET status = NULL WHERE campaign_id = $1", campaign_id)
    assert outcome(await one.apply(told({"null": merge.of_delivered(AT)}))) == (1, 0, 0)
    assert await counts_equal_rows(owner, campaign_id)


async def test_several_rows_of_one_message_are_all_written(owner: asyncpg.Connection, one: Store) -> None:
    first = await create_campaign(owner, ["shared"])
    second = await create_campaign(owner, ["shared"])
    applied = await one.apply(told({"shared": merge.of_read(AT), "nobody's": merge.of_read(AT)}))
    assert outcome(applied) == (2, 0, 1)
    assert await counts_equal_rows(owner, first)
    assert await counts_equal_rows(owner, second)


async def test_the_first_status_moves_a_campaign_on_also_where_the_platform_knew_it(
    owner: asyncpg.Connection, one: Store
) -> None:
    campaign_id = await create_campaign(owner, ["known"], total=2)
    await owner.execute(
        "UPDATE message_logs SET status = 'sent', sent_at = '2026-01-01' WHERE campaign_id = $1", campaign_id
    )
    # Written all the same: the platform's own time is no evidence of Meta's, so there is an event to give.
    assert outcome(await one.apply(told({"known": merge.of_sent(AT)}))) == (1, 0, 0)
    assert (await campaign_row(owner, campaign_id))["status"] == "processing"


@pytest.mark.parametrize("state", ["paused", "failed", "completed"])
async def test_what_the_platform_said_of_a_campaign_stays(owner: asyncpg.Connection, one: Store, state: str) -> None:
    campaign_id = await create_campaign(owner, [f"campaign.{state}"])
    await owner.execute("UPDATE campaign_logs SET status = $2 WHERE id = $1", campaign_id, state)
    await one.apply(told({f"campaign.{state}": merge.of_read(AT)}))
    assert (await campaign_row(owner, campaign_id))["status"] == state


async def test_of_two_failures_that_differ_in_their_text_the_least_by_bytes_is_kept(
    owner: asyncpg.Connection, one: Store
) -> None:
    # In this order by bytes, nothing last; people's collations have others.
    texts = ["", "Z", "a", "é", "\uffff", "\U0001f600", None]
    pairs = {f"tie.{first}.{second}": (first, second) for first in range(7) for second in range(7)}
    campaign_id = await create_campaign(owner, pairs)
    for position in (0, 1):
        await one.apply(told({wamid: merge.of_failed(AT, 1, texts[pair[position]]) for wamid, pair in pairs.items()}))
    rows = await owner.fetch("SELECT message_id, error_message FROM message_logs WHERE campaign_id = $1", campaign_id)
    kept = {row["message_id"]: row["error_message"] for row in rows}
    assert kept == {wamid: texts[min(pair)] for wamid, pair in pairs.items()}


async def test_a_replay_writes_nothing(owner: asyncpg.Connection, one: Store) -> None:
    campaign_id = await create_campaign(owner, ["replay"])
    await one.apply(told({"replay": merge.of_read(AT)}))
    versions = "SELECT array_agg(xmin::text || ctid::text || xmax::text) FROM"
    before = [await owner.fetchval(f"{versions} {table}") for table in ("message_logs", "campaign_logs")]
    assert outcome(await one.apply(told({"replay": merge.of_sent(AT)}))) == (0, 1, 0)
    after = [await owner.fetchval(f"{versions} {table}") for table in ("campaign_logs",)]
    assert after == before[1:], "the campaign is not even locked"
    assert await counts_equal_rows(owner, campaign_id)


async def test_the_session_settings_last(status_service_database: str) -> None:
    async with database.connected(status_service_database) as opened:
        for _ in range(3):
            async with opened.session() as session:
                assert await session.fetchval("SHOW deadlock_timeout") == "1ms"
                assert await session.fetchval("SHOW plan_cache_mode") == "force_generic_plan"
                assert await session.fetchval("SHOW synchronous_commit") == "on"
