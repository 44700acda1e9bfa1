"""Statuses that name their row in Meta's callback data: it repairs a sending whose answer was lost."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from status_service.merge import of_delivered, of_read, of_sent
from status_service.store import Locks
from tests.integration.campaigns import campaign_row, create_campaign
from tests.integration.test_store import counts_equal_rows
from tests.integration.without_kafka.rows import AT, add_row, parked, row_of, status_events
from tests.told import told
from tests.unpublished import Unpublished


@pytest.mark.parametrize("locks", Locks)
async def test_a_row_without_id_is_claimed(platform: asyncpg.Connection, service: Unpublished, locks: Locks) -> None:
    campaign_id = await create_campaign(platform, [], total=1)
    row_id = await add_row(platform, campaign_id)
    applied = await service.store.apply(told({"claimed": of_delivered(AT)}, {"claimed": row_id}), locks)
    assert (applied.written, applied.without_row, applied.locked) == (frozenset({row_id}), 0, 0)
    row = await row_of(platform, row_id)
    assert (row["message_id"], row["status"]) == ("claimed", "delivered")
    assert await status_events(platform, row_id) == ["delivered", "sent"]
    assert await counts_equal_rows(platform, campaign_id)
    assert (await campaign_row(platform, campaign_id))["status"] == "completed"
    # The row is the message's from now on; nothing names it any more.
    await service.store.apply(told({"claimed": of_read(AT + 1)}), locks)
    assert (await row_of(platform, row_id))["status"] == "read"


async def test_what_was_parked_before_comes_with_the_claim(platform: asyncpg.Connection, service: Unpublished) -> None:
    campaign_id = await create_campaign(platform, [], total=1)
    row_id = await add_row(platform, campaign_id)
    await service.store.apply(told({"half": of_read(AT + 9)}))
    await service.sweep.adopt()
    assert await parked(platform) == {"half"}
    await service.store.apply(told({"half": of_sent(AT)}, {"half": row_id}))
    await service.sweep.adopt()
    assert await parked(platform) == set()
    row = await row_of(platform, row_id)
    assert (row["message_id"], row["status"]) == ("half", "read")
    assert await status_events(platform, row_id) == ["delivered", "read", "sent"]


async def test_a_row_that_is_written_later_is_claimed_by_the_sweep(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    row_id = uuid4()
    await service.store.apply(told({"early": of_read(AT)}, {"early": row_id}))
    campaign_id = await create_campaign(platform, [], total=1)
    await service.sweep.adopt()
    assert await parked(platform) == {"early"}
    await add_row(platform, campaign_id, row_id=row_id)
    await service.sweep.adopt()
    assert await parked(platform) == set()
    row = await row_of(platform, row_id)
    assert (row["message_id"], row["status"]) == ("early", "read")
    assert await counts_equal_rows(platform, campaign_id)


async def test_a_row_with_another_id_is_not_touched(platform: asyncpg.Connection, service: Unpublished) -> None:
    campaign_id = await create_campaign(platform, ["its own"], total=2)
    row_id = await platform.fetchval("SELECT id FROM message_logs WHERE campaign_id = $1", campaign_id)
    before = await platform.fetchval("SELECT xmin::text FROM message_logs WHERE id = $1", row_id)
    await service.store.apply(told({"strange": of_read(AT)}, {"strange": row_id}))
    await service.sweep.adopt()
    assert await platform.fetchval("SELECT xmin::text FROM message_logs WHERE id = $1", row_id) == before
    assert await parked(platform) == {"strange"}
    # Until its own row has it.
    own_row_id = await add_row(platform, campaign_id, "strange")
    await service.sweep.adopt()
    assert await parked(platform) == set()
    assert (await row_of(platform, own_row_id))["status"] == "read"
    assert (await row_of(platform, row_id))["message_id"] == "its own"
    assert await counts_equal_rows(platform, campaign_id)


async def test_a_message_with_a_row_claims_no_other(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, ["settled"], total=2)
    waiting_id = await add_row(platform, campaign_id)
    statuses = told({"settled": of_read(AT)}, {"settled": waiting_id})
    # Also while its row cannot be written.
    async with other_platform.transaction():
        await other_platform.execute("SELECT FROM message_logs WHERE message_id = 'settled' FOR UPDATE")
        assert (await service.store.apply(statuses, Locks.SKIP)).locked == 1
    await service.sweep.adopt()
    await service.store.apply(statuses)
    assert (await row_of(platform, waiting_id))["message_id"] is None
    assert await parked(platform) == set()


async def test_callback_data_that_names_no_row_is_no_claim(platform: asyncpg.Connection, service: Unpublished) -> None:
    campaign_id = await create_campaign(platform, ["known"])
    statuses = told({"unknown": of_sent(AT), "known": of_sent(AT)}, {"unknown": uuid4(), "known": uuid4()})
    applied = await service.store.apply(statuses)
    assert (len(applied.written), applied.without_row) == (1, 1)
    await service.sweep.adopt()
    assert await parked(platform) == {"unknown"}
    assert await counts_equal_rows(platform, campaign_id)


async def test_of_two_messages_in_one_batch_one_gets_the_row(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, [], total=1)
    row_id = await add_row(platform, campaign_id)
    statuses = told({"b": of_read(AT), "a": of_sent(AT)}, {"b": row_id, "a": row_id})
    applied = await service.store.apply(statuses)
    assert (applied.written, applied.without_row) == (frozenset({row_id}), 1)
    await service.sweep.adopt()
    row = await row_of(platform, row_id)
    assert (row["message_id"], row["status"]) == ("a", "sent")
    assert await parked(platform) == {"b"}
    assert await status_events(platform, row_id) == ["sent"]


async def test_of_two_messages_in_two_batches_the_first_gets_the_row(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, [], total=1)
    row_id = await add_row(platform, campaign_id)
    for message_id in ("b", "a"):
        await service.store.apply(told({message_id: of_sent(AT)}, {message_id: row_id}))
    await service.sweep.adopt()
    assert (await row_of(platform, row_id))["message_id"] == "b"
    assert await parked(platform) == {"a"}


async def test_of_messages_in_transactions_at_once_one_gets_each_row(
    platform: asyncpg.Connection, service: Unpublished, other_service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, [], total=100)
    row_ids = [await add_row(platform, campaign_id) for _ in range(100)]

    async def claim(by: Unpublished, name: str) -> None:
        claims = {f"{name}.{number}": row_id for number, row_id in enumerate(row_ids)}
        for part in range(0, 100, 20):
            names = list(claims)[part : part + 20]
            await by.store.apply(told(dict.fromkeys(names, of_read(AT)), claims))

    await asyncio.gather(claim(service, "one"), claim(other_service, "other"))
    await service.sweep.adopt()
    rows = await platform.fetch("SELECT message_id, status FROM message_logs WHERE campaign_id = $1", campaign_id)
    everyone = {f"{name}.{number}" for name in ("one", "other") for number in range(100)}
    assert {row["status"] for row in rows} == {"read"}
    assert await parked(platform) == everyone - {row["message_id"] for row in rows}
    assert len(await parked(platform)) == 100
    assert await counts_equal_rows(platform, campaign_id)
    assert (await campaign_row(platform, campaign_id))["read_count"] == 100


async def test_a_row_waiting_for_its_id_that_is_locked_is_claimed_later(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, [], total=1)
    row_id = await add_row(platform, campaign_id)
    async with other_platform.transaction():
        await other_platform.execute("SELECT FROM message_logs WHERE id = $1 FOR UPDATE", row_id)
        applied = await service.store.apply(told({"later": of_read(AT)}, {"later": row_id}), Locks.SKIP)
        assert (applied.locked, applied.without_row) == (1, 0)
        await service.sweep.adopt()
        assert await parked(platform) == {"later"}
    await service.sweep.adopt()
    assert (await row_of(platform, row_id))["message_id"] == "later"
    assert await counts_equal_rows(platform, campaign_id)
