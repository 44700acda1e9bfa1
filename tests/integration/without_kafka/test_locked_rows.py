"""Rows that the platform holds locked: the rest is applied, they come later, and the platform is never the victim."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from status_service import database as databases
from status_service.applier import Applier, Outcome
from status_service.batch import Told
from status_service.dead_letters import Brake
from status_service.merge import of_delivered, of_read, of_sent
from status_service.store import COUNT, Locks, Unmatched
from tests.faults.databases import Database
from tests.integration.campaigns import campaign_row, create_campaign, statuses_of
from tests.integration.test_store import counts_equal_rows
from tests.integration.without_kafka.rows import AT, parked, until_somebody_waits
from tests.told import told
from tests.unpublished import Unpublished, unpublished
from tests.waiting import DEADLINE_SECONDS, eventually


async def applied_by(service: Unpublished, statuses: Told) -> Outcome:
    """Apply as the consumer does, which would try for ever."""
    applier = Applier(service.store, service.outbox, service.campaigns, Brake(run=0, share=0), Unmatched.PARK)
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await applier.apply(statuses)


async def all_counts_equal(platform: asyncpg.Connection, *campaigns: UUID) -> bool:
    return all([await counts_equal_rows(platform, campaign_id) for campaign_id in campaigns])


async def test_one_idle_transaction_of_the_platform_stops_nothing(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    wamids = [f"idle.{number}" for number in range(20)]
    campaign_id = await create_campaign(platform, wamids)
    async with other_platform.transaction():
        await other_platform.execute("UPDATE message_logs SET api_response = '{}' WHERE message_id = 'idle.7'")
        outcome = await applied_by(service, told(dict.fromkeys(wamids, of_read(AT))))
        (applied,) = outcome.applied
        assert (len(applied.written), applied.locked, applied.without_row) == (19, 1, 0)
        assert await parked(platform) == {"idle.7"}
        assert await counts_equal_rows(platform, campaign_id)
        await service.sweep.adopt()
        assert await parked(platform) == {"idle.7"}
    await service.sweep.adopt()
    assert await parked(platform) == set()
    assert set((await statuses_of(platform, campaign_id)).values()) == {"read"}
    assert await counts_equal_rows(platform, campaign_id)
    assert (await campaign_row(platform, campaign_id))["status"] == "completed"


@pytest.mark.parametrize("ending", ["commit", "rollback"])
async def test_messages_of_a_locked_campaign_are_parked(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished, ending: str
) -> None:
    held = await create_campaign(platform, ["held.1", "held.2"])
    free = await create_campaign(platform, ["free.1", "free.2"])
    wamids = ["held.1", "free.1", "held.2", "free.2"]
    await other_platform.execute("BEGIN")
    await other_platform.execute("UPDATE campaign_logs SET campaign_name = 'renamed' WHERE id = $1", held)
    applied = await service.store.apply(told(dict.fromkeys(wamids, of_delivered(AT))), Locks.SKIP)
    assert (len(applied.written), applied.locked, applied.campaigns) == (2, 2, frozenset({free}))
    assert await parked(platform) == {"held.1", "held.2"}
    assert set((await statuses_of(platform, held)).values()) == {"pending"}
    assert await all_counts_equal(platform, held, free)
    await other_platform.execute(ending)
    await service.sweep.adopt()
    assert set((await statuses_of(platform, held)).values()) == {"delivered"}
    assert await parked(platform) == set()
    assert await all_counts_equal(platform, held, free)


async def test_of_two_rows_of_a_message_the_free_one_is_written_at_once(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    first, second = [await create_campaign(platform, ["both"]) for _ in range(2)]
    async with other_platform.transaction():
        await other_platform.execute("SELECT FROM message_logs WHERE campaign_id = $1 FOR UPDATE", first)
        applied = await service.store.apply(told({"both": of_read(AT)}), Locks.SKIP)
        assert (len(applied.written), applied.locked, applied.without_row) == (1, 1, 0)
        assert await statuses_of(platform, second) == {"both": "read"}
        assert await parked(platform) == {"both"}
        assert await all_counts_equal(platform, first, second)
    await service.sweep.adopt()
    assert await statuses_of(platform, first) == {"both": "read"}
    assert await parked(platform) == set()
    assert await all_counts_equal(platform, first, second)


async def test_messages_without_a_row_are_told_from_locked_ones(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    await create_campaign(platform, ["locked"])
    async with other_platform.transaction():
        await other_platform.execute("SELECT FROM message_logs WHERE message_id = 'locked' FOR UPDATE")
        statuses = told({"locked": of_read(AT), "nobody's": of_read(AT)})
        # A replay passes over what has no row, and loses nothing that has one.
        applied = await service.store.apply(statuses, Locks.SKIP, Unmatched.IGNORE)
    assert (applied.locked, applied.without_row) == (1, 1)
    assert await parked(platform) == {"locked"}


async def test_a_platform_that_is_inserting_does_not_hold_up_the_counting(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, ["early"], total=2)
    async with other_platform.transaction():
        # Each row's foreign key holds its campaign FOR KEY SHARE.
        await other_platform.execute(
            "INSERT INTO message_logs (campaign_id, recipient_number, message_id) VALUES ($1, 'late', 'late')",
            campaign_id,
        )
        for locks in Locks:
            evidence = of_sent(AT) if locks is Locks.WAIT else of_read(AT)
            applied = await service.store.apply(told({"early": evidence}), locks)
            assert (len(applied.written), applied.locked) == (1, 0)
        assert await counts_equal_rows(platform, campaign_id)


@pytest.mark.parametrize("repetition", range(3))
async def test_a_platform_that_locks_the_other_way_round_is_never_the_victim(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished, repetition: int
) -> None:
    wamids = [f"opposite.{repetition}.{number}" for number in range(20)]
    campaign_id = await create_campaign(platform, wamids)
    await other_platform.execute("BEGIN")
    await other_platform.execute("SELECT FROM campaign_logs WHERE id = $1 FOR UPDATE", campaign_id)
    applying = asyncio.create_task(applied_by(service, told(dict.fromkeys(wamids, of_read(AT)))))
    await until_somebody_waits(platform)
    # Raises DeadlockDetectedError if this is the session that PostgreSQL cancels.
    await other_platform.execute("UPDATE message_logs SET api_response = '{}' WHERE campaign_id = $1", campaign_id)
    await other_platform.execute("COMMIT")
    await applying
    await service.sweep.adopt()
    assert set((await statuses_of(platform, campaign_id)).values()) == {"read"}
    assert await counts_equal_rows(platform, campaign_id)


async def wants_the_campaign(platform: asyncpg.Connection) -> bool:
    """Tell whether status_service has its rows, and waits for the campaign's lock or until it asks for it again."""
    wanting = """SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'status_service' AND query <> '' AND starts_with($1, query)
        AND wait_event_type IN ('Lock', 'Timeout'))"""
    return bool(await platform.fetchval(wanting, COUNT))


async def test_a_session_of_the_platform_that_queues_for_a_campaign_is_never_the_victim(
    urls: Database, platform: asyncpg.Connection, other_platform: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a circle that another one closes: it is the first whose deadlock_timeout ends."""
    # If we were in the queue too, we would be there to the end.
    monkeypatch.setitem(databases.SESSION, "lock_timeout", "30s")
    campaign_id = await create_campaign(platform, ["circle"])
    queueing = await asyncpg.connect(urls.owner, server_settings={"deadlock_timeout": "200ms"})
    try:
        async with unpublished(urls.status_service) as service, asyncio.TaskGroup() as tasks:
            await other_platform.execute("BEGIN")
            await other_platform.execute("SELECT FROM campaign_logs WHERE id = $1 FOR UPDATE", campaign_id)
            rename = "UPDATE campaign_logs SET campaign_name = 'renamed' WHERE id = $1"
            queued = tasks.create_task(queueing.execute(rename, campaign_id))
            await until_somebody_waits(platform)
            applying = tasks.create_task(applied_by(service, told({"circle": of_read(AT)})))
            await eventually(lambda: wants_the_campaign(platform))
            # Each of the two raises DeadlockDetectedError if it is the one that PostgreSQL cancels.
            await other_platform.execute("UPDATE message_logs SET api_response = '{}' WHERE message_id = 'circle'")
            await other_platform.execute("COMMIT")
            assert await queued == "UPDATE 1"
            await applying
    finally:
        await queueing.close()
    assert await statuses_of(platform, campaign_id) == {"circle": "read"}
    assert await counts_equal_rows(platform, campaign_id)
