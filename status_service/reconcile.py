"""The recount: makes a campaign's counts equal to its rows again, whatever the platform wrote to either."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from shared import postgres
from status_service import metrics
from status_service.batch import Told
from status_service.counts import Counts
from status_service.database import RECOUNT_LOCKS, Database
from status_service.events import Entry
from status_service.merge import Evidence
from status_service.outbox import Outbox
from status_service.store import Locks, Pending, Store, Unmatched, add_to_outbox

DUE: Final = postgres.read_statement(__file__, "due_campaigns")
NUMBER: Final = postgres.read_statement(__file__, "number_of_campaigns")
ALL: Final = postgres.read_statement(__file__, "all_campaigns")
FALLEN: Final = postgres.read_statement(__file__, "fallen_messages")
FORGET: Final = postgres.read_statement(__file__, "forget_changes")
DRIFT: Final = postgres.read_statement(__file__, "drift")
RECOUNT: Final = postgres.read_statement(__file__, "recount")
FORGET_DELETED: Final = postgres.read_statement(__file__, "forget_deleted")
LOCK: Final = "SELECT pg_try_advisory_xact_lock($1, hashtext($2)), set_config('lock_timeout', $3, true)"

# A campaign is recounted at most this long after its time has come.
PAUSE_SECONDS: Final = 2.0
AT_ONCE: Final = 100
# Longer than others wait for a lock: it holds nothing meanwhile that the platform could want.
CAMPAIGN_DEADLINE: Final = "500ms"
MESSAGES_AT_ONCE: Final = 5000
# Another session holds the campaign: its turn comes again.
BUSY: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
BEFORE_ALL: Final = UUID(int=0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recount:
    """What a recount found: rows below their evidence, and what the counts lacked."""

    campaign_id: UUID
    fallen: int
    drift: Counts

    @property
    def clean(self) -> bool:
        return not self.fallen and not any(self.drift)


class Reconciler:
    """Recounts campaigns."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    async def due(self, reconcile_after: float) -> list[UUID]:
        """Give campaigns whose time has come. Raises what asyncpg raises."""
        async with self._database.session() as session:
            await session.execute(FORGET_DELETED)
            return [row[0] for row in await session.fetch(DUE, reconcile_after, AT_ONCE)]

    async def number(self) -> int:
        """Tell how many campaigns there are. Raises what asyncpg raises."""
        async with self._database.session() as session:
            return int(await session.fetchval(NUMBER))

    async def all(self) -> AsyncIterator[UUID]:
        """Give every campaign there is. Raises what asyncpg raises."""
        last = BEFORE_ALL
        while True:
            async with self._database.session() as session:
                campaigns = [row[0] for row in await session.fetch(ALL, last, AT_ONCE)]
            for campaign in campaigns:
                yield campaign
            if not campaigns:
                return
            last = campaigns[-1]

    async def look(self, campaign: UUID) -> Recount:
        """Tell what a recount would find, and change nothing. Raises what asyncpg raises."""
        async with self._database.session() as session:
            fallen = await session.fetch(FALLEN, campaign, None)
            row = await session.fetchrow(DRIFT, campaign)
        return Recount(campaign, len(fallen), Counts() if row is None else Counts(*row[1:]))

    async def recount(self, campaign: UUID) -> tuple[Recount, Pending] | None:
        """Repair rows, then counts; None if another session is at it or holds rows. Raises what asyncpg raises."""
        try:
            return await self._recount(campaign)
        except BUSY:
            return None

    async def _recount(self, campaign: UUID) -> tuple[Recount, Pending] | None:
        repaired = await self._repair(campaign)
        if repaired is None:
            return None
        async with self._database.transaction() as session:
            if not await session.fetchval(LOCK, RECOUNT_LOCKS, str(campaign), CAMPAIGN_DEADLINE):
                return None
            await session.execute(FORGET, campaign)
            row = await session.fetchrow(DRIFT, campaign)
            if row is None:
                return None
            revision, *drift = row
            await session.execute(RECOUNT, campaign, *drift, revision)
            pending = await add_to_outbox(session, Entry(campaigns=(campaign,)))
        found = Recount(campaign, repaired, Counts(*drift))
        for name, difference in found.drift._asdict().items():
            metrics.DRIFT.labels(name).inc(abs(difference))
        metrics.FALLEN.inc(repaired)
        if not found.clean:
            log.info("drift_found", campaign_id=str(campaign), fallen=repaired, **found.drift._asdict())
        return found, pending

    async def _repair(self, campaign: UUID) -> int | None:
        """Merge no evidence at all into rows that are below their own; None if some are locked."""
        repaired = 0
        while True:
            async with self._database.session() as session:
                fallen = [row[0] for row in await session.fetch(FALLEN, campaign, MESSAGES_AT_ONCE)]
            if not fallen:
                return repaired
            told = Told(dict.fromkeys(fallen, Evidence()), {}, {})
            applied = await self._store.apply(told, Locks.SKIP, Unmatched.IGNORE)
            if applied.locked or not applied.written:
                return None
            repaired += len(applied.written)


class BackgroundReconciler:
    """Recounts campaigns when their time has come."""

    def __init__(self, reconciler: Reconciler, outbox: Outbox, reconcile_after: float) -> None:
        self._reconciler = reconciler
        self._outbox = outbox
        self._reconcile_after = reconcile_after

    async def turn(self) -> None:
        """Recount what is due. Raises what asyncpg raises."""
        pending = []
        try:
            for campaign in await self._reconciler.due(self._reconcile_after):
                outcome = await self._reconciler.recount(campaign)
                if outcome is not None:
                    pending.append(outcome[1])
        finally:
            await asyncio.gather(*map(self._outbox.publish, pending))
