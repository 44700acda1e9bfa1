"""Statuses that come before their row: parked, and adopted when it is there."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from status_service import metrics, parking
from status_service.batch import Told
from status_service.database import Database, Session
from status_service.merge import of_delivered, of_failed, of_read, of_sent
from status_service.store import Store
from tests.integration.campaigns import campaign_row, create_campaign, statuses_of
from tests.integration.test_store import counts_equal_rows
from tests.integration.without_kafka.rows import AT, add_row, grow_older, parked, row_of, status_events
from tests.told import told
from tests.unpublished import PARKED_TTL_SECONDS, Unpublished


async def test_a_row_that_comes_later_gets_all_that_was_parked(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    for evidence in (of_read(AT + 9), of_failed(AT, 131026, "no"), of_sent(AT)):
        applied = await service.store.apply(told({"late": evidence}))
        assert (applied.without_row, applied.pending) == (1, None)
    await service.sweep.adopt()
    assert await parked(platform) == {"late"}

    campaign_id = await create_campaign(platform, ["late"])
    await service.sweep.adopt()

    assert await parked(platform) == set()
    row_id = await platform.fetchval("SELECT id FROM message_logs WHERE campaign_id = $1", campaign_id)
    row = await row_of(platform, row_id)
    assert (row["status"], row["error_code"], row["error_message"]) == ("read", 131026, None)
    assert row["sent_at"] < row["delivered_at"] == row["read_at"]
    assert await status_events(platform, row_id) == ["delivered", "failed", "read", "sent"]
    assert await counts_equal_rows(platform, campaign_id)
    campaign = await campaign_row(platform, campaign_id)
    assert (campaign["status"], campaign["read_count"], campaign["revision"]) == ("completed", 1, 1)
    # Both are on their way to Kafka.
    assert service.campaigns.noted == {campaign_id}
    assert len(service.outbox.left) == 1


async def test_of_failures_at_the_same_time_the_least_is_parked(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    # Code before text, by bytes, nothing last; people's collations have another order.
    failures = [(0, None), (5, "Z"), (5, "a"), (5, "\uffff"), (5, "\U0001f600"), (5, None), (None, "a"), (None, None)]
    pairs = {f"tie.{first}.{second}": (first, second) for first in range(8) for second in range(8)}
    for position in (0, 1):
        await service.store.apply(
            told({name: of_failed(AT, *failures[pair[position]]) for name, pair in pairs.items()})
        )
    rows = await platform.fetch("SELECT message_id, error_code, error_message FROM parked_statuses")
    assert {row[0]: tuple(row[1:]) for row in rows} == {name: failures[min(pair)] for name, pair in pairs.items()}


class InterruptedStore(Store):
    """Lets something happen between the merge, which found no row, and the parking."""

    def __init__(self, database: Database, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(database, PARKED_TTL_SECONDS)
        self._meanwhile = meanwhile

    async def _park(self, session: Session, told: Told) -> None:
        await self._meanwhile()
        await super()._park(session, told)


async def test_a_row_committed_between_merge_and_parking_is_found(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, [], total=1)

    async def commit_the_row() -> None:
        await add_row(platform, campaign_id, "between")
        # A sweep that comes too early finds nothing to adopt.
        await service.sweep.adopt()

    applied = await InterruptedStore(service.database, commit_the_row).apply(told({"between": of_delivered(AT)}))
    assert applied.without_row == 1
    await service.sweep.adopt()
    assert await statuses_of(platform, campaign_id) == {"between": "delivered"}
    assert await counts_equal_rows(platform, campaign_id)


async def test_statuses_of_a_replaced_message_wait_and_those_of_the_new_one_are_adopted(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, ["old"])
    await service.store.apply(told({"old": of_failed(AT, 131026, "no")}))
    await service.store.apply(told({"old": of_sent(AT)}))
    await service.store.apply(told({"new": of_delivered(AT + 5)}))
    # Sent again in the same row.
    await platform.execute("UPDATE message_logs SET message_id = 'new' WHERE campaign_id = $1", campaign_id)
    await service.store.apply(told({"old": of_read(AT + 9)}))
    await service.sweep.adopt()

    assert await parked(platform) == {"old"}
    (row,) = await platform.fetch("SELECT * FROM message_logs WHERE campaign_id = $1", campaign_id)
    assert (row["message_id"], row["status"], row["read_at"], row["failed_at"]) == ("new", "delivered", None, None)
    # Failed and one sent are the old message's, delivered and the other sent the new one's.
    assert await status_events(platform, row["id"]) == ["delivered", "failed", "sent", "sent"]


async def test_all_rows_of_a_message_adopt_what_was_parked(platform: asyncpg.Connection, service: Unpublished) -> None:
    await service.store.apply(told({"shared": of_read(AT)}))
    campaigns = [await create_campaign(platform, ["shared"]) for _ in range(2)]
    await service.sweep.adopt()
    for campaign_id in campaigns:
        assert await statuses_of(platform, campaign_id) == {"shared": "read"}
        assert await counts_equal_rows(platform, campaign_id)


async def test_two_sweeps_at_once_adopt_once(
    platform: asyncpg.Connection, service: Unpublished, other_service: Unpublished
) -> None:
    wamids = [f"both.{number}" for number in range(200)]
    await service.store.apply(told(dict.fromkeys(wamids, of_read(AT))))
    campaign_id = await create_campaign(platform, wamids)
    await asyncio.gather(service.sweep.adopt(), other_service.sweep.adopt())
    assert await parked(platform) == set()
    assert set((await statuses_of(platform, campaign_id)).values()) == {"read"}
    assert await counts_equal_rows(platform, campaign_id)
    events = [
        event.id for one in (service, other_service) for left in one.outbox.left for event in left.entry.all_events()
    ]
    assert len(events) == len(set(events)) == 3 * len(wamids)


async def test_the_sweep_waits_for_nobody_who_is_parking(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    await service.store.apply(told({"written": of_sent(AT), "free": of_sent(AT)}))
    campaign_id = await create_campaign(platform, ["written", "free"])
    async with other_platform.transaction():
        await other_platform.execute("UPDATE parked_statuses SET said = said WHERE message_id = 'written'")
        await service.sweep.adopt()
        assert await parked(platform) == {"written"}
    await service.sweep.adopt()
    assert await statuses_of(platform, campaign_id) == {"written": "sent", "free": "sent"}


async def test_one_sweep_adopts_more_than_it_takes_at_once(
    platform: asyncpg.Connection, service: Unpublished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "AT_ONCE", 2)
    wamids = [f"many.{number}" for number in range(7)]
    await service.store.apply(told(dict.fromkeys(wamids, of_sent(AT))))
    campaign_id = await create_campaign(platform, wamids)
    await service.sweep.adopt()
    assert await parked(platform) == set()
    assert await counts_equal_rows(platform, campaign_id)


async def test_old_entries_are_looked_at_when_they_reach_an_age(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    before_last_sweep, since, to_come = {}, {}, {}
    for age in parking.AGES:
        before_last_sweep[f"before.{age}"] = age + timedelta(seconds=50)
        since[f"since.{age}"] = age + timedelta(seconds=15)
        to_come[f"to come.{age}"] = age - timedelta(seconds=20)
    ages = before_last_sweep | since | to_come
    await service.store.apply(told(dict.fromkeys(ages, of_read(AT))))
    for message_id, age in ages.items():
        await grow_older(platform, message_id, age)
    await create_campaign(platform, ages)

    service.sweep._swept_until = datetime.now(UTC) - timedelta(seconds=30)
    await service.sweep.adopt()
    assert await parked(platform) == set(before_last_sweep) | set(to_come)


async def test_an_old_entry_that_was_looked_at_waits_for_its_next_age(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    await service.store.apply(told({"seen": of_read(AT)}))
    await grow_older(platform, "seen", parking.AGES[0] + timedelta(seconds=5))
    await service.sweep.adopt()
    await create_campaign(platform, ["seen"])
    await service.sweep.adopt()
    assert await parked(platform) == {"seen"}
    await grow_older(platform, "seen", parking.AGES[1] - parking.AGES[0])
    service.sweep._swept_until -= timedelta(seconds=30)
    await service.sweep.adopt()
    assert await parked(platform) == set()


async def test_an_age_that_stood_behind_locked_rows_is_made_up_for(
    platform: asyncpg.Connection,
    other_platform: asyncpg.Connection,
    service: Unpublished,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parking, "AT_ONCE", 2)
    await service.store.apply(told(dict.fromkeys(["held.1", "held.2", "held.3", "old"], of_read(AT))))
    held = await create_campaign(platform, ["held.1", "held.2", "held.3"])
    await create_campaign(platform, ["old"])
    await grow_older(platform, "old", parking.AGES[-1])
    async with other_platform.transaction():
        await other_platform.execute("SELECT FROM campaign_logs WHERE id = $1 FOR UPDATE", held)
        await service.sweep.adopt()
        assert await parked(platform) == {"held.1", "held.2", "held.3", "old"}
    await service.sweep.adopt()
    assert await parked(platform) == set()


async def test_an_entry_that_was_young_at_the_last_sweep_is_looked_at_again(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    await service.store.apply(told({"turning ten": of_read(AT), "older": of_read(AT)}))
    await grow_older(platform, "turning ten", parking.YOUNG + timedelta(seconds=5))
    await grow_older(platform, "older", parking.YOUNG + timedelta(seconds=60))
    # Its row came within the ten minutes, and after the sweep that was the last one in them.
    await create_campaign(platform, ["turning ten", "older"])
    service.sweep._swept_until = datetime.now(UTC) - timedelta(seconds=30)
    await service.sweep.adopt()
    assert await parked(platform) == {"older"}


async def test_how_much_is_parked_and_since_when_is_measured(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    await service.sweep.measure()
    assert (metrics.PARKED_MESSAGES._value.get(), metrics.PARKED_AGE._value.get()) == (0, 0)
    await service.store.apply(told({"one": of_sent(AT), "two": of_sent(AT)}))
    await grow_older(platform, "two", timedelta(minutes=5))
    await service.sweep.measure()
    assert metrics.PARKED_MESSAGES._value.get() == 2
    assert 300 <= metrics.PARKED_AGE._value.get() < 330
