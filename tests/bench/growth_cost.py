"""What a status costs in a table that has grown."""

import contextlib
import random
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from time import perf_counter

import asyncpg

from status_service import database as databases
from status_service import merge
from status_service.batch import Told
from status_service.database import Database
from status_service.outbox import DELETE
from status_service.store import Store
from tests.bench.ground import Ground
from tests.bench.growth_rows import CAMPAIGN_ROWS, Kind, create_rows, grown_database, message_id, store_answers
from tests.bench.measured import Contest
from tests.conftest import as_role
from tests.told import told

BATCH = 5_000
# Of old messages, in a round.
SPREAD_STATUSES = 2 * BATCH
AT = 1_790_812_812 * 1_000_000
TIMES_AS_DEAR = 1.5


class Way(StrEnum):
    """Whose statuses come: those of the newest campaign, all three, or late reads of messages from anywhere."""

    NEWEST = "newest campaign"
    ANYWHERE = "whole table"


@dataclass(frozen=True, slots=True)
class Grown:
    """A database that had so many messages when it was made, and more with each round."""

    messages: int
    owner: asyncpg.Connection
    database: Database

    async def batches(self, way: Way, number: int, rounds: int) -> list[Told]:
        """Give what is told in a round; the newest campaign is created and sent first."""
        chance = random.Random(f"{way} {self.messages}")
        if way is Way.ANYWHERE:
            # Each message is read once, in whichever round.
            sample = chance.sample(range(self.messages), rounds * SPREAD_STATUSES)
            return list(_told(sample[number * SPREAD_STATUSES :][:SPREAD_STATUSES], merge.of_read(AT)))
        begin = self.messages + number * CAMPAIGN_ROWS
        rows = range(begin, begin + CAMPAIGN_ROWS)
        await create_rows(self.owner, rows)
        await store_answers(self.owner, rows)
        # They are sent in the order of the rows, and arrive and are read in none.
        courses = [
            (rows, merge.of_sent(AT)),
            (chance.sample(rows, len(rows)), merge.of_delivered(AT)),
            (chance.sample(rows, len(rows)), merge.of_read(AT)),
        ]
        return [batch for messages, proof in courses for batch in _told(messages, proof)]

    async def apply(self, batch: Told) -> float:
        """Give the seconds that it took."""
        began = perf_counter()
        applied = await Store(self.database, parked_ttl_seconds=60).apply(batch)
        seconds = perf_counter() - began
        assert len(applied.written) == len(batch.evidence)
        assert applied.pending is not None
        async with self.database.session() as session:
            await session.execute(DELETE, [applied.pending.id])
        return seconds


async def costs(ground: Ground, rounds: int, sizes: Sequence[int]) -> list[Contest]:
    """Play the same rounds in databases of these sizes, smallest first; each batch in one after the other."""
    contests = []
    for kind in Kind:
        async with contextlib.AsyncExitStack() as stack:
            grown = [await stack.enter_async_context(_opened(ground, kind, size)) for size in sizes]
            for way in Way:
                values: dict[str, list[float]] = defaultdict(list)
                # One round is for warming up.
                for number in range(rounds + 1):
                    rates = await _round(grown, way, number, rounds + 1)
                    for one, rate in zip(grown, rates, strict=True):
                        name = f"{one.messages:,} rows"
                        sys.stderr.write(f"{kind} database, {way}, {name}: {rate:,.0f} statuses/s\n")
                        if number:
                            values[name].append(rate)
                smallest, *larger = values
                contests.append(
                    Contest(
                        f"growth.{kind}.{way.split()[0]}",
                        f"Statuses of the {way} in a {kind} database",
                        "statuses/s",
                        values,
                        smallest,
                        dict.fromkeys(larger, 1 / TIMES_AS_DEAR),
                    )
                )
    return contests


async def _round(grown: Sequence[Grown], way: Way, number: int, rounds: int) -> list[float]:
    """Give the statuses a second of each."""
    batches = [await one.batches(way, number, rounds) for one in grown]
    seconds = [0.0] * len(grown)
    for place, _ in enumerate(batches[0]):
        # Each is first every other time.
        for which in range(len(grown))[:: 1 if place % 2 else -1]:
            seconds[which] += await grown[which].apply(batches[which][place])
    return [BATCH * len(told) / taken for told, taken in zip(batches, seconds, strict=True)]


def _told(messages: Iterable[int], proof: merge.Evidence) -> Iterator[Told]:
    names = map(message_id, messages)
    while batch := list(islice(names, BATCH)):
        yield told(dict.fromkeys(batch, proof))


@contextlib.asynccontextmanager
async def _opened(ground: Ground, kind: Kind, messages: int) -> AsyncIterator[Grown]:
    async with grown_database(ground, kind, messages) as url:
        owner = await asyncpg.connect(url)
        try:
            async with databases.connected(as_role(url, "status_service")) as database:
                yield Grown(messages, owner, database)
        finally:
            await owner.close()
