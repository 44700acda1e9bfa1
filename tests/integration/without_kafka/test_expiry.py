"""Parked statuses whose row never came: how long they wait, and what is told when they are let go."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from status_service import parking
from status_service.merge import of_delivered, of_failed, of_read
from status_service.store import FOREIGN_TTL_SECONDS
from tests.faults.databases import Database
from tests.integration.campaigns import create_campaign, statuses_of
from tests.integration.test_store import counts_equal_rows
from tests.integration.without_kafka.rows import AT, add_row, grow_older, parked, row_of, unmatched_events
from tests.told import told
from tests.unpublished import PARKED_TTL_SECONDS, Unpublished, events_in_outbox, unpublished

FOREIGN_TTL = timedelta(seconds=FOREIGN_TTL_SECONDS)
PARKED_TTL = timedelta(seconds=PARKED_TTL_SECONDS)
A_MINUTE = timedelta(minutes=1)


async def park(service: Unpublished, message_id: str, phone_number_id: str | None) -> None:
    numbers = {} if phone_number_id is None else {message_id: phone_number_id}
    await service.store.apply(told({message_id: of_read(AT)}, phone_number_ids=numbers))


async def own_number(platform: asyncpg.Connection, table: str) -> None:
    """Let the number `ours` be one of ours, by a number's row or by an account's."""
    name = uuid4().hex
    user_id = await platform.fetchval(
        "INSERT INTO users (name, email, username, password) VALUES ($1, $1, $1, '') RETURNING id", name
    )
    statement = {
        "whatsapp_numbers": "INSERT INTO whatsapp_numbers (user_id, phone_number_id, phone_number, access_token)"
        " VALUES ($1, 'ours', '15550142200', '')",
        "user_business_info": "INSERT INTO user_business_info (user_id, whatsapp_number_id) VALUES ($1, 'ours')",
    }[table]
    await platform.execute(statement, user_id)


async def expires_after(platform: asyncpg.Connection, service: Unpublished, message_id: str, ttl: timedelta) -> bool:
    """Tell whether an entry is there a minute before its time is up and gone a minute after."""
    await grow_older(platform, message_id, ttl - A_MINUTE)
    await service.sweep.expire()
    there = message_id in await parked(platform)
    if there:
        await grow_older(platform, message_id, 2 * A_MINUTE)
        await service.sweep.expire()
    return there and message_id not in await parked(platform)


async def test_a_status_of_a_number_that_is_not_ours_waits_for_a_quarter_of_an_hour(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    await park(service, "foreign", "theirs")
    assert await expires_after(platform, service, "foreign", FOREIGN_TTL)
    assert [event["message_id"] for event in await unmatched_events(platform)] == ["foreign"]


@pytest.mark.parametrize("table", ["whatsapp_numbers", "user_business_info"])
async def test_a_status_of_a_number_of_ours_waits_for_a_day(
    platform: asyncpg.Connection, service: Unpublished, table: str
) -> None:
    await own_number(platform, table)
    await park(service, "lost", "ours")
    # From the beginning, not only once a sweep has prolonged it.
    assert await platform.fetchval("SELECT expires_at - parked_at FROM parked_statuses") == PARKED_TTL
    assert await expires_after(platform, service, "lost", PARKED_TTL)
    assert [event["message_id"] for event in await unmatched_events(platform)] == ["lost"]


async def test_a_status_without_a_number_counts_as_ours(platform: asyncpg.Connection, service: Unpublished) -> None:
    await park(service, "nameless", None)
    assert await expires_after(platform, service, "nameless", PARKED_TTL)


@pytest.mark.parametrize("table", ["whatsapp_numbers", "user_business_info"])
async def test_an_entry_whose_number_has_become_ours_is_prolonged(
    platform: asyncpg.Connection, service: Unpublished, table: str
) -> None:
    await park(service, "new customer's", "ours")
    await park(service, "foreign", "theirs")
    await own_number(platform, table)
    for message_id in ("new customer's", "foreign"):
        await grow_older(platform, message_id, FOREIGN_TTL + A_MINUTE)
    await service.sweep.expire()
    assert await parked(platform) == {"new customer's"}
    # Since its parking, not since the prolongation.
    assert await expires_after(platform, service, "new customer's", PARKED_TTL - FOREIGN_TTL - A_MINUTE)


async def test_others_never_wait_longer_than_we_do(platform: asyncpg.Connection, urls: Database) -> None:
    async with unpublished(urls.status_service, parked_ttl_seconds=60) as impatient:
        await park(impatient, "foreign", "theirs")
        await park(impatient, "nameless", None)
        await grow_older(platform, "foreign", A_MINUTE)
        await grow_older(platform, "nameless", A_MINUTE)
        await impatient.sweep.expire()
    assert await parked(platform) == set()


async def test_an_entry_whose_row_appears_just_before_its_end_is_adopted(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    row_id = uuid4()
    await service.store.apply(told({"inserted": of_read(AT), "claiming": of_read(AT)}, {"claiming": row_id}))
    for message_id in ("inserted", "claiming"):
        await grow_older(platform, message_id, PARKED_TTL + A_MINUTE)
    campaign_id = await create_campaign(platform, ["inserted"], total=2)
    await add_row(platform, campaign_id, row_id=row_id)
    await service.sweep.expire()
    assert await statuses_of(platform, campaign_id) == {"inserted": "read", "claiming": "read"}
    assert (await parked(platform), await unmatched_events(platform)) == (set(), [])
    assert await counts_equal_rows(platform, campaign_id)


@pytest.mark.parametrize("held", ["row", "campaign"])
@pytest.mark.parametrize("claiming", [False, True])
async def test_an_entry_whose_row_is_locked_at_its_end_goes_on_waiting(
    platform: asyncpg.Connection,
    other_platform: asyncpg.Connection,
    service: Unpublished,
    held: str,
    claiming: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    row_id = uuid4()
    await service.store.apply(told({"held": of_read(AT)}, {"held": row_id} if claiming else {}))
    campaign_id = await create_campaign(platform, [], total=1)
    await add_row(platform, campaign_id, None if claiming else "held", row_id)
    await grow_older(platform, "held", PARKED_TTL + A_MINUTE)
    async with other_platform.transaction():
        table, key = ("message_logs", row_id) if held == "row" else ("campaign_logs", campaign_id)
        await other_platform.execute(f"SELECT FROM {table} WHERE id = $1 FOR UPDATE", key)
        await service.sweep.expire()
        assert await parked(platform) == {"held"}
    await service.sweep.adopt()
    row = await row_of(platform, row_id)
    assert (row["message_id"], row["status"]) == ("held", "read")
    assert await unmatched_events(platform) == []
    assert await counts_equal_rows(platform, campaign_id)


async def test_what_is_told_of_a_message_that_never_got_a_row(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    callback_id = UUID(int=7)
    await service.store.apply(told({"gone": of_failed(AT, 131026, "no")}, {"gone": callback_id}, {"gone": "theirs"}))
    await service.store.apply(told({"gone": of_delivered(AT + 1_000_000)}))
    await grow_older(platform, "gone", PARKED_TTL)
    parked_at: datetime = await platform.fetchval("SELECT parked_at FROM parked_statuses")
    await service.sweep.expire()

    (event,) = await events_in_outbox(platform)
    assert (event.topic.suffix, event.key) == ("unmatched", "gone")
    assert await unmatched_events(platform) == [
        {
            "message_id": "gone",
            "phone_number_id": "theirs",
            "callback_id": str(callback_id),
            "sent_at": "2026-10-01T00:00:13+00:00",
            "delivered_at": "2026-10-01T00:00:13+00:00",
            "read_at": None,
            "failed_at": "2026-10-01T00:00:12+00:00",
            "error": {"code": 131026, "message": "no"},
            "parked_at": f"{parked_at.isoformat()}+00:00",
        }
    ]
    assert len(service.outbox.left) == 1


async def test_a_status_after_that_waits_anew(platform: asyncpg.Connection, service: Unpublished) -> None:
    for _ in range(2):
        await park(service, "twice", None)
        await grow_older(platform, "twice", PARKED_TTL)
        await service.sweep.expire()
    events = await events_in_outbox(platform)
    assert len({event.id for event in events}) == len(events) == 2


async def test_more_expire_than_are_taken_at_once(
    platform: asyncpg.Connection, service: Unpublished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "AT_ONCE", 2)
    wamids = [f"many.{number}" for number in range(7)]
    await service.store.apply(told(dict.fromkeys(wamids, of_read(AT))))
    for message_id in wamids:
        await grow_older(platform, message_id, PARKED_TTL)
    await service.sweep.expire()
    assert sorted(event["message_id"] for event in await unmatched_events(platform)) == wamids
