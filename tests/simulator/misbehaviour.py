"""What a sending platform does to its own tables in the middle of a campaign, as if nobody else wrote them."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never
from uuid import UUID

import asyncpg

from tests.simulator.database import DATABASE_AWAY, Connection, connect
from tests.simulator.model import Model
from tests.simulator.queries import query

ROWS_AT_ONCE = 20
PAUSE_SECONDS = (0.1, 1.0)
# Between the campaign's lock and those of its rows.
BETWEEN_LOCKS_SECONDS = (0.05, 0.5)


class Platform(Enum):
    WELL_BEHAVED = "well-behaved"
    ROUGH = "rough"


class Misdeed(Enum):
    # Pending rows are set to sent, and not counted.
    SENT_UNCOUNTED = "sent_uncounted"
    # Delivered and read rows are set to failed, as after a timeout.
    FAILED_OVER_DELIVERY = "failed_over_delivery"
    # The counts of sent and failed are overwritten, as when its sending ends.
    NONSENSE_COUNTS = "nonsense_counts"
    # Rows stay locked in an open transaction, which is rolled back.
    ROWS_HELD = "rows_held"
    # The campaign is locked before its rows; everybody else goes the other way.
    OPPOSITE_ORDER = "opposite_order"


@dataclass(slots=True)
class MisdeedTally:
    """What came of it so far: rows written or locked, deadlocks it was the victim of, other errors by their names."""

    rows: Counter[Misdeed] = field(default_factory=Counter)
    deadlocks: int = 0
    errors: Counter[str] = field(default_factory=Counter)


def repairable_rows(model: Model) -> list[UUID]:
    """Give the rows that Meta's statuses will set right: those of which it tells anything."""
    return [model.row_ids[wamid] for wamid, meant in model.messages.items() if meant.status != "pending"]


class Misbehaviour:
    """All misdeeds at once, each again and again on a session of its own, until told that the sending is over.

    Its sessions lock rows in the order of their ids, so that they are in nobody's way but the services'.
    """

    def __init__(self, campaign_id: UUID, rows: Sequence[UUID], lock_seconds: float, seed: int) -> None:
        self.tally = MisdeedTally()
        self._campaign_id = campaign_id
        self._rows = rows
        self._lock_seconds = lock_seconds
        self._seed = seed
        self._over = asyncio.Event()

    def end(self) -> None:
        self._over.set()

    async def go_on(self, database_url: str, misdeeds: Collection[Misdeed]) -> None:
        async with asyncio.TaskGroup() as all_at_once:
            for misdeed in misdeeds:
                all_at_once.create_task(self._repeat(misdeed, database_url))

    async def _repeat(self, misdeed: Misdeed, database_url: str) -> None:
        chance = random.Random(f"{self._seed} {misdeed.value}")
        while not self._over.is_set():
            try:
                async with connect(database_url) as connection:
                    while not self._over.is_set():
                        self.tally.rows[misdeed] += await self._commit(misdeed, connection, chance)
                        await self._pause(chance.uniform(*PAUSE_SECONDS))
            except asyncpg.DeadlockDetectedError:
                self.tally.deadlocks += 1
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                self.tally.errors[type(error).__name__] += 1
                await self._pause(chance.uniform(*PAUSE_SECONDS))

    async def _commit(self, misdeed: Misdeed, connection: Connection, chance: random.Random) -> int:
        some = chance.sample(self._rows, min(ROWS_AT_ONCE, len(self._rows)))
        match misdeed:
            case Misdeed.SENT_UNCOUNTED | Misdeed.FAILED_OVER_DELIVERY:
                return await _rows_of(connection, misdeed.value, some)
            case Misdeed.NONSENSE_COUNTS:
                nonsense = [chance.randint(0, len(self._rows)) for _ in ("sent", "failed")]
                return await _rows_of(connection, misdeed.value, self._campaign_id, *nonsense)
            case Misdeed.ROWS_HELD:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    locked = await _rows_of(connection, "lock_rows", some)
                    await self._pause(self._lock_seconds)
                finally:
                    await transaction.rollback()
                return locked
            case Misdeed.OPPOSITE_ORDER:
                async with connection.transaction():
                    await connection.execute(query("lock_campaign"), self._campaign_id)
                    await self._pause(chance.uniform(*BETWEEN_LOCKS_SECONDS))
                    return await _rows_of(connection, "lock_rows", some)
        assert_never(misdeed)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()


async def _rows_of(connection: Connection, name: str, *arguments: object) -> int:
    """Execute a statement and give the number at the end of its tag, as in `UPDATE 3`."""
    tag: str = await connection.execute(query(name), *arguments)
    return int(tag.rsplit(" ", 1)[-1])
