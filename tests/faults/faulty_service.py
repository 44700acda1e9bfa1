"""`python -m tests.faults.faulty_service`: status_service, which kills itself at a point of its work.

FAULT_POINT names the point, FAULT_PASSING at which of its passings that happens.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from enum import StrEnum, auto
from typing import Any, ClassVar
from unittest.mock import patch
from uuid import UUID

import uvloop

from shared.settings import read_or_exit
from status_service import app
from status_service.applier import Applier, Outcome
from status_service.batch import Told
from status_service.database import Session
from status_service.outbox import Outbox
from status_service.reconcile import Reconciler, Recount
from status_service.settings import StatusSettings
from status_service.store import Applied, Locks, Pending, Store, Unmatched


class Point(StrEnum):
    """Where a process can be between two things that belong together."""

    # The batch is committed: its events are in the outbox only.
    BATCH_COMMITTED = auto()
    # Its events are in Kafka; the offsets are not committed.
    BATCH_PUBLISHED = auto()
    # Its events are in Kafka, and still in the outbox.
    OUTBOX_DELETION = auto()
    # Entries of a killed consumer are this one's now, and not published.
    ENTRIES_INHERITED = auto()
    # Parked statuses are deleted and merged; the transaction is open.
    ADOPTION_WRITTEN = auto()
    # The same, committed.
    ADOPTION_COMMITTED = auto()
    # The counts are repaired; nobody has heard.
    RECOUNT_COMMITTED = auto()


class Fate:
    """Kills the process at the point and passing that the environment names."""

    def __init__(self) -> None:
        self._point = os.environ.get("FAULT_POINT")
        self._left = int(os.environ.get("FAULT_PASSING", "1"))

    def passes(self, point: Point) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


FATE = Fate()


class FaultyStore(Store):
    # The entries of the outbox that come from adoptions.
    adopted: ClassVar[set[int]] = set()

    async def write(
        self, session: Session, told: Told, locks: Locks, unmatched: Unmatched, parked: Sequence[Any] = ()
    ) -> Applied:
        applied = await super().write(session, told, locks, unmatched, parked)
        if parked and applied.pending is not None:
            self.adopted.add(applied.pending.id)
            FATE.passes(Point.ADOPTION_WRITTEN)
        return applied


class FaultyApplier(Applier):
    async def _attempt(self, told: Told) -> Applied:
        applied = await super()._attempt(told)
        if applied.pending is not None:
            FATE.passes(Point.BATCH_COMMITTED)
        return applied

    async def publish(self, outcome: Outcome) -> None:
        await super().publish(outcome)
        if any(applied.pending is not None for applied in outcome.applied):
            FATE.passes(Point.BATCH_PUBLISHED)


class FaultyOutbox(Outbox):
    _inheriting: asyncio.Task[Any] | None = None

    async def publish(self, pending: Pending) -> None:
        if pending.id in FaultyStore.adopted:
            FATE.passes(Point.ADOPTION_COMMITTED)
        if self._inheriting is asyncio.current_task():
            FATE.passes(Point.ENTRIES_INHERITED)
        await super().publish(pending)

    async def flush(self) -> None:
        if self._published:
            FATE.passes(Point.OUTBOX_DELETION)
        await super().flush()

    async def inherit(self) -> None:
        self._inheriting = asyncio.current_task()
        await super().inherit()


class FaultyReconciler(Reconciler):
    async def recount(self, campaign: UUID) -> tuple[Recount, Pending] | None:
        outcome = await super().recount(campaign)
        if outcome is not None:
            FATE.passes(Point.RECOUNT_COMMITTED)
        return outcome


def main() -> None:
    with (
        patch.object(app, "Store", FaultyStore),
        patch.object(app, "Applier", FaultyApplier),
        patch.object(app, "Outbox", FaultyOutbox),
        patch.object(app, "Reconciler", FaultyReconciler),
    ):
        uvloop.run(app.run(read_or_exit(StatusSettings)))


if __name__ == "__main__":
    main()
