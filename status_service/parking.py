"""The sweep: adopts parked statuses whose row has appeared, and lets go of those whose time is up.

What is adopted or expires is what the deletion of the entry gave, never an earlier read. The sweep waits for no
lock of the platform's.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Final

import structlog

from shared import postgres
from status_service import metrics
from status_service.batch import Told
from status_service.campaigns import CampaignPublisher
from status_service.database import Database
from status_service.merge import Evidence
from status_service.outbox import Outbox
from status_service.store import Applied, Locks, Store, Unmatched

FOUND: Final = postgres.read_statement(__file__, "found_parked")
TAKE: Final = postgres.read_statement(__file__, "take_parked")
EXPIRED: Final = postgres.read_statement(__file__, "expired_parked")
PROLONG: Final = postgres.read_statement(__file__, "prolong_parked")
GAUGES: Final = postgres.read_statement(__file__, "parked_gauges")

# The row of a message that was just sent comes within seconds; entries of this age are looked at in each sweep.
YOUNG: Final = timedelta(minutes=10)
# Sweeps are this far apart, so that a row that appears is found within 5 s; and farther where the looking itself takes
# more than a tenth of the time, with some hundred thousand young entries.
PAUSE_SECONDS: Final = 2.0
DUTY: Final = 0.1
# Older entries are looked at when they reach these ages, and once more when they expire.
AGES: Final = tuple(
    timedelta(minutes=minutes) for minutes in (12, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 540, 720, 1080)
)
AT_ONCE: Final = 5000
GAUGES_PAUSE_SECONDS: Final = 15.0

log = structlog.get_logger(__name__)


class Sweep:
    """Looks at the parked statuses."""

    def __init__(
        self, database: Database, store: Store, outbox: Outbox, campaigns: CampaignPublisher, ttl_seconds: int
    ) -> None:
        self._database = database
        self._store = store
        self._outbox = outbox
        self._campaigns = campaigns
        self._ttl_seconds = ttl_seconds
        self._swept_until = datetime.now(UTC) - YOUNG

    async def adopt(self) -> None:
        """Merge what was parked into the rows that are there now. Raises what asyncpg raises."""
        now = datetime.now(UTC)
        ages = _ages(self._swept_until, now)
        while True:
            started = perf_counter()
            async with self._database.session() as session:
                found = [row[0] for row in await session.fetch(FOUND, *ages, AT_ONCE)]
            looked_seconds = perf_counter() - started
            applied = await self._take(found, Unmatched.PARK)
            if len(found) < AT_ONCE:
                self._swept_until = now
                break
            # All are locked. They are found again, but not in this sweep, and neither is who stands behind them.
            if not applied.written and not applied.unchanged:
                break
        await asyncio.sleep(looked_seconds * (1 / DUTY - 1))

    async def expire(self) -> None:
        """Let go of what has waited long enough, unless its row is there after all. Raises what asyncpg raises."""
        expired: list[str] | None = None
        while expired is None or len(expired) == AT_ONCE:
            async with self._database.session() as session:
                expired = [row[0] for row in await session.fetch(EXPIRED, AT_ONCE)]
                prolonged = {row[0] for row in await session.fetch(PROLONG, expired, self._ttl_seconds)}
            applied = await self._take([name for name in expired if name not in prolonged], Unmatched.EXPIRE)
            if not applied.without_row and not applied.written:
                break

    async def measure(self) -> None:
        """Tell how many entries there are and how old the oldest is. Raises what asyncpg raises."""
        async with self._database.session() as session:
            (row,) = await session.fetch(GAUGES)
        metrics.PARKED_MESSAGES.set(row["number"])
        metrics.PARKED_AGE.set(row["age"])

    async def _take(self, message_ids: Sequence[str], unmatched: Unmatched) -> Applied:
        if not message_ids:
            return Applied()
        async with self._database.transaction() as session:
            entries = await session.fetch(TAKE, message_ids)
            if not entries:
                return Applied()
            applied = await self._store.write(session, _told(entries), Locks.SKIP, unmatched, entries)
        metrics.PARKED.labels("adopted").inc(len(entries) - applied.locked - applied.without_row)
        if unmatched is Unmatched.EXPIRE:
            metrics.PARKED.labels("expired").inc(applied.without_row)
        self._campaigns.note(applied.campaigns)
        if applied.pending is not None:
            await self._outbox.publish(applied.pending)
        return applied


def _ages(swept_until: datetime, now: datetime) -> tuple[list[datetime], list[datetime]]:
    """Give the times of parking that this sweep looks at, as naive UTC: after these, until those."""
    # From the last sweep on: the row of an entry that was young then may have come in the last of its ten minutes.
    after = [swept_until - age for age in (YOUNG, *AGES)]
    until = [now + YOUNG, *(now - age for age in AGES)]
    return [at.replace(tzinfo=None) for at in after], [at.replace(tzinfo=None) for at in until]


def _told(entries: Iterable[Any]) -> Told:
    evidence = {
        entry["message_id"]: Evidence(
            entry["sent_at"],
            entry["delivered_at"],
            entry["read_at"],
            entry["failed_at"],
            entry["error_code"],
            entry["error_message"],
            entry["said"],
        )
        for entry in entries
    }
    return Told(
        evidence,
        {entry["message_id"]: entry["callback_id"] for entry in entries if entry["callback_id"] is not None},
        {entry["message_id"]: entry["phone_number_id"] for entry in entries if entry["phone_number_id"] is not None},
    )
