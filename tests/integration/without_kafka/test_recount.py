"""The recount: whatever the platform wrote, counts equal rows again, and nothing is added twice."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest

from status_service import database as databases
from status_service import reconcile
from status_service.database import Session
from status_service.merge import of_delivered, of_failed, of_read, of_sent
from status_service.reconcile import DRIFT, RECOUNT, Reconciler
from status_service.store import Locks, Unmatched
from tests.faults.databases import Database
from tests.integration.campaigns import campaign_row, create_campaign, statuses_of
from tests.integration.test_store import counts_equal_rows
from tests.integration.without_kafka.rows import AT, until_somebody_waits
from tests.told import told
from tests.unpublished import Unpublished, unpublished
from tests.waiting import DEADLINE_SECONDS

# What a platform does to a campaign of which one message is pending, one delivered, one read, one failed.
FOREIGN_WRITES = {
    "rows set to sent": "UPDATE message_logs SET status = 'sent' WHERE campaign_id = $1 AND status = 'pending'",
    "rows set to failed over their delivery": "UPDATE message_logs SET status = 'failed'"
    " WHERE campaign_id = $1 AND status IN ('delivered', 'read')",
    "rows set to nothing": "UPDATE message_logs SET status = NULL WHERE campaign_id = $1 AND status = 'read'",
    "rows that begin as sent": "INSERT INTO message_logs (campaign_id, recipient_number, status)"
    " VALUES ($1, 'new', 'sent')",
    "rows given to another message": "UPDATE message_logs SET message_id = message_id || '.again'"
    " WHERE campaign_id = $1 AND status = 'failed'",
    "counts overwritten": "UPDATE campaign_logs SET successful_sends = 99, failed_sends = 0 WHERE id = $1",
    "counts set to nothing": "UPDATE campaign_logs SET successful_sends = NULL, failed_sends = NULL WHERE id = $1",
    "our own counts overwritten": "UPDATE campaign_logs SET delivered_count = 0, read_count = 7 WHERE id = $1",
}


@pytest.fixture
async def patient_service(urls: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Unpublished]:
    """Connect as status_service that waits for locks until the test is done with them, on a busy machine too."""
    monkeypatch.setattr(reconcile, "CAMPAIGN_DEADLINE", "30s")
    async with unpublished(urls.status_service) as opened:
        yield opened


def reconciler(service: Unpublished) -> Reconciler:
    return Reconciler(service.database, service.store)


async def settled_campaign(platform: asyncpg.Connection, service: Unpublished, name: str, total: int = 9) -> UUID:
    """Write a campaign with a message in each state, counted and recounted; only a foreign write makes it due again."""
    campaign_id = await create_campaign(platform, [f"{name}.{kind}" for kind in "PDRF"], total)
    await service.store.apply(
        told({f"{name}.D": of_delivered(AT), f"{name}.R": of_read(AT), f"{name}.F": of_failed(AT, 131026, "no")})
    )
    recounted = await reconciler(service).recount(campaign_id)
    assert recounted is not None
    assert recounted[0].clean
    assert await reconciler(service).due(0) == []
    return campaign_id


@pytest.mark.parametrize("what", FOREIGN_WRITES)
async def test_after_a_foreign_write_counts_equal_rows_again(
    platform: asyncpg.Connection, service: Unpublished, what: str
) -> None:
    campaign_id = await settled_campaign(platform, service, "settled")
    before = await campaign_row(platform, campaign_id)
    await platform.execute(FOREIGN_WRITES[what], campaign_id)
    assert not await counts_equal_rows(platform, campaign_id)

    assert await reconciler(service).due(0) == [campaign_id]
    recounted = await reconciler(service).recount(campaign_id)
    assert recounted is not None
    found, pending = recounted
    assert not found.clean
    assert await counts_equal_rows(platform, campaign_id)
    after = await campaign_row(platform, campaign_id)
    # More than once where the platform's own write had one, so that no revision is two states.
    assert after["revision"] > before["revision"]
    assert pending.entry.campaigns == (campaign_id,)
    # It is done with, and a further recount changes nothing.
    assert await reconciler(service).due(0) == []
    assert await reconciler(service).recount(campaign_id) is not None
    assert (await campaign_row(platform, campaign_id))["revision"] == after["revision"]


async def test_rows_below_their_evidence_are_repaired_first(platform: asyncpg.Connection, service: Unpublished) -> None:
    campaign_id = await settled_campaign(platform, service, "fallen")
    before = await statuses_of(platform, campaign_id)
    await platform.execute(
        "UPDATE message_logs SET status = 'failed', error_message = 'timeout' WHERE campaign_id = $1", campaign_id
    )
    recounted = await reconciler(service).recount(campaign_id)
    assert recounted is not None
    assert recounted[0].fallen == 2
    # The pending one has no evidence against the platform's word.
    assert await statuses_of(platform, campaign_id) == before | {"fallen.P": "failed"}
    texts = await platform.fetch(
        "SELECT message_id, error_message FROM message_logs WHERE campaign_id = $1", campaign_id
    )
    assert {row["message_id"]: row["error_message"] for row in texts} == {
        "fallen.P": "timeout",
        "fallen.D": None,
        "fallen.R": None,
        "fallen.F": "timeout",
    }
    assert await counts_equal_rows(platform, campaign_id)


async def test_a_campaign_nobody_touched_since_its_migration_stays_as_it_is(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    # As a dump is loaded: triggers know nothing of what was there before them.
    await platform.execute("SET session_replication_role = replica")
    campaign_id = await create_campaign(platform, ["old"], total=1)
    await platform.execute("UPDATE message_logs SET status = 'sent' WHERE campaign_id = $1", campaign_id)
    await platform.execute("UPDATE campaign_logs SET successful_sends = 7 WHERE id = $1", campaign_id)
    await platform.execute("RESET session_replication_role")
    assert await reconciler(service).due(0) == []
    # Until somebody does.
    await service.store.apply(told({"old": of_delivered(AT)}))
    assert await reconciler(service).due(0) == [campaign_id]


async def test_a_campaign_is_due_when_first_touched_and_then_after_a_while(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await create_campaign(platform, ["due"])
    await service.store.apply(told({"due": of_sent(AT)}))
    assert await reconciler(service).due(60) == [campaign_id]
    assert await reconciler(service).recount(campaign_id) is not None
    await service.store.apply(told({"due": of_read(AT)}))
    assert await reconciler(service).due(60) == []
    await platform.execute("UPDATE campaign_logs SET recounted_at = recounted_at - interval '59 seconds'")
    assert await reconciler(service).due(60) == []
    await platform.execute("UPDATE campaign_logs SET recounted_at = recounted_at - interval '1 second'")
    assert await reconciler(service).due(60) == [campaign_id]
    # A replay changes nothing, so there is nothing to count.
    assert await reconciler(service).recount(campaign_id) is not None
    await service.store.apply(told({"due": of_read(AT)}))
    assert await reconciler(service).due(0) == []


@pytest.mark.parametrize(
    ("stored", "total", "becomes"),
    [
        ("pending", 4, "completed"),
        ("processing", 4, "completed"),
        ("processing", 5, "processing"),
        ("pending", 5, "processing"),
        ("processing", 0, "processing"),
        ("paused", 4, "paused"),
        ("failed", 4, "failed"),
        ("completed", 5, "completed"),
    ],
)
async def test_the_recount_moves_a_campaign_on(
    platform: asyncpg.Connection, service: Unpublished, stored: str, total: int, becomes: str
) -> None:
    campaign_id = await settled_campaign(platform, service, "moved", total=total)
    await platform.execute("UPDATE campaign_logs SET status = $2 WHERE id = $1", campaign_id, stored)
    await platform.execute(FOREIGN_WRITES["rows set to sent"], campaign_id)
    assert await reconciler(service).due(0) == [campaign_id]
    assert await reconciler(service).recount(campaign_id) is not None
    assert (await campaign_row(platform, campaign_id))["status"] == becomes


async def test_a_campaign_without_any_status_stays_pending(platform: asyncpg.Connection, service: Unpublished) -> None:
    campaign_id = await create_campaign(platform, ["untouched"])
    await platform.execute("UPDATE campaign_logs SET total_recipients = 7 WHERE id = $1", campaign_id)
    assert await reconciler(service).recount(campaign_id) is not None
    assert (await campaign_row(platform, campaign_id))["status"] == "pending"


async def test_merges_at_the_same_time_leave_no_drift(
    platform: asyncpg.Connection, service: Unpublished, other_service: Unpublished
) -> None:
    wamids = [f"busy.{number}" for number in range(200)]
    campaign_id = await create_campaign(platform, wamids)
    await platform.execute("UPDATE campaign_logs SET successful_sends = 77, read_count = 5 WHERE id = $1", campaign_id)
    chance = random.Random(1)
    merging = True
    recounts = 0

    async def merge() -> None:
        nonlocal merging
        for _ in range(20):
            kind = chance.choice((of_sent, of_delivered, of_read))
            await service.store.apply(told(dict.fromkeys(chance.sample(wamids, 20), kind(AT))))
        merging = False

    async def recount() -> None:
        nonlocal recounts
        while merging:
            recounts += await reconciler(other_service).recount(campaign_id) is not None

    await asyncio.gather(merge(), recount(), recount())
    assert recounts > 2
    assert await counts_equal_rows(platform, campaign_id)


async def test_a_merge_between_measuring_and_adding_is_counted_once(
    platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await settled_campaign(platform, service, "between")
    await platform.execute(FOREIGN_WRITES["counts overwritten"], campaign_id)
    async with service.database.transaction() as session:
        row = await session.fetchrow(DRIFT, campaign_id)
        assert row is not None
        revision, *drift = row
        await service.store.apply(told({"between.P": of_read(AT), "between.D": of_read(AT)}))
        await session.execute(RECOUNT, campaign_id, *drift, revision)
    assert await counts_equal_rows(platform, campaign_id)
    # The recount did not see it, so the next one will.
    assert await reconciler(service).due(0) == [campaign_id]


async def test_a_recount_waits_for_a_merge_and_adds_to_what_that_counted(
    platform: asyncpg.Connection, service: Unpublished, patient_service: Unpublished
) -> None:
    campaign_id = await settled_campaign(platform, service, "merging")
    await platform.execute(FOREIGN_WRITES["rows set to sent"], campaign_id)
    async with service.database.transaction() as session:
        statuses = told({"merging.P": of_read(AT), "merging.F": of_read(AT)})
        await service.store.write(session, statuses, Locks.WAIT, Unmatched.PARK)
        recounting = asyncio.create_task(reconciler(patient_service).recount(campaign_id))
        await until_somebody_waits(platform)
    assert await recounting is not None
    assert await counts_equal_rows(platform, campaign_id)


async def test_two_recounts_at_once_add_once(
    platform: asyncpg.Connection,
    other_platform: asyncpg.Connection,
    service: Unpublished,
    patient_service: Unpublished,
) -> None:
    campaign_id = await settled_campaign(platform, service, "twice")
    await platform.execute(FOREIGN_WRITES["counts overwritten"], campaign_id)
    async with other_platform.transaction():
        await other_platform.execute("SELECT FROM campaign_logs WHERE id = $1 FOR UPDATE", campaign_id)
        first = asyncio.create_task(reconciler(patient_service).recount(campaign_id))
        # It has measured and has yet to add.
        await until_somebody_waits(platform)
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await reconciler(patient_service).recount(campaign_id) is None
    assert await first is not None
    assert await counts_equal_rows(platform, campaign_id)


async def test_a_campaign_whose_rows_are_held_is_recounted_when_they_are_free(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await settled_campaign(platform, service, "held")
    await platform.execute(FOREIGN_WRITES["rows set to failed over their delivery"], campaign_id)
    async with other_platform.transaction():
        await other_platform.execute("SELECT FROM message_logs WHERE campaign_id = $1 FOR UPDATE", campaign_id)
        assert await reconciler(service).recount(campaign_id) is None
        assert await reconciler(service).due(0) == [campaign_id]
    assert await reconciler(service).recount(campaign_id) is not None
    assert await counts_equal_rows(platform, campaign_id)


async def test_a_foreign_write_that_is_not_committed_yet_is_for_the_next_recount(
    platform: asyncpg.Connection, other_platform: asyncpg.Connection, service: Unpublished
) -> None:
    campaign_id = await settled_campaign(platform, service, "open")
    async with other_platform.transaction():
        await other_platform.execute(FOREIGN_WRITES["rows set to sent"], campaign_id)
        recounted = await reconciler(service).recount(campaign_id)
        assert recounted is not None
        assert recounted[0].clean
    assert await reconciler(service).due(0) == [campaign_id]
    assert await reconciler(service).recount(campaign_id) is not None
    assert await counts_equal_rows(platform, campaign_id)


class InterruptedSession:
    """Lets something happen after so many statements."""

    def __init__(self, session: Session, statements: int, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._session = session
        self._left = statements
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def statement(*arguments: object) -> Any:
            result = await getattr(self._session, name)(*arguments)
            self._left -= 1
            if self._left == 0:
                await self._meanwhile()
            return result

        return statement


class InterruptedDatabase(databases.Database):
    """Lends such sessions for transactions."""

    def __init__(
        self, database: databases.Database, statements: int, meanwhile: Callable[[], Awaitable[object]]
    ) -> None:
        super().__init__(database._pool)
        self._statements = statements
        self._meanwhile = meanwhile

    @contextlib.asynccontextmanager
    async def transaction(self, *, rolled_back: bool = False) -> AsyncIterator[Session]:
        async with super().transaction(rolled_back=rolled_back) as session:
            yield cast("Session", InterruptedSession(session, self._statements, self._meanwhile))


@pytest.mark.parametrize("statements", range(1, 6))
async def test_a_foreign_write_between_the_statements_of_a_recount_is_not_missed(
    platform: asyncpg.Connection, service: Unpublished, statements: int
) -> None:
    campaign_id = await settled_campaign(platform, service, "meanwhile")
    written = []

    async def write() -> None:
        written.append(await platform.execute(FOREIGN_WRITES["rows set to sent"], campaign_id))

    interrupted = Reconciler(InterruptedDatabase(service.database, statements, write), service.store)
    assert await interrupted.recount(campaign_id) is not None
    assert written == ["UPDATE 1"]
    for due in await reconciler(service).due(0):
        assert await reconciler(service).recount(due) is not None
    assert await counts_equal_rows(platform, campaign_id)


async def test_a_deleted_campaign_is_due_no_more(platform: asyncpg.Connection, service: Unpublished) -> None:
    campaign_id = await settled_campaign(platform, service, "deleted")
    await platform.execute(FOREIGN_WRITES["rows set to sent"], campaign_id)
    await platform.execute("DELETE FROM campaign_logs WHERE id = $1", campaign_id)
    assert await reconciler(service).due(0) == []
    assert await platform.fetchval("SELECT count(*) FROM changed_campaigns") == 0
    assert await reconciler(service).recount(campaign_id) is None
