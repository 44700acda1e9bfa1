"""What tables and indexes take while the same campaigns are played again and again, by a platform and the service."""

import asyncio
import contextlib
import random
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial

import asyncpg

from shared.publisher import Publisher
from shared.records import Record
from shared.topics import RAW_STATUS
from tests.bench.ground import Ground, Place
from tests.bench.growth_rows import CAMPAIGN_ROWS, Kind, create_rows, grown_database, message_id, store_answers
from tests.bench.measured import Reading
from tests.bench.publishing import publisher
from tests.conftest import as_role
from tests.integration.raw_statuses import raw_status
from tests.waiting import eventually

PLAYS = 15
MESSAGES = 5 * CAMPAIGN_ROWS
# Autovacuum looks at a database once a minute; it has come when the last third of the plays begins.
PLAY_SECONDS = 10.0
LAST = PLAYS // 3
# The platform stores Meta's answers to so many calls at once.
STORED_AT_ONCE = 500
# Of so many of those, the statuses of one are here before: they are parked.
LATE = 50
DEADLINE_SECONDS = 120.0
TIMES_AS_LARGE = 1.1
# What is smaller swings with the moment at which it is looked at: it is taken to be as large as this.
SMALLEST_MEBIBYTES = 4.0

DONE = """
SELECT (SELECT sum(read_count) FROM campaign_logs) = $1::bigint
    AND NOT EXISTS (SELECT FROM status_outbox) AND NOT EXISTS (SELECT FROM parked_statuses)
"""
# Of what comes and stays: bytes a message.
SIZES_A_MESSAGE = """
SELECT name, bytes::float / (SELECT count(*) FROM message_logs)
FROM (
    SELECT 'message_logs', pg_table_size('message_logs')
    UNION ALL
    SELECT indexrelid::regclass::text, pg_relation_size(indexrelid)
    FROM pg_index
    WHERE indrelid = 'message_logs'::regclass
) AS size (name, bytes)
"""
# Of what comes and goes, or is written again and again: MiB with all that belongs to it.
SIZES_IN_ALL = """
SELECT name, pg_total_relation_size(name::regclass) / 2.0::float ^ 20
FROM unnest(ARRAY['campaign_logs', 'changed_campaigns', 'parked_statuses', 'status_outbox']) AS name
"""


async def sizes(ground: Ground) -> list[Reading]:
    """Play with autovacuum as it is shipped, which comes more seldom to a campaign of seconds than to one of hours."""
    return [reading for kind in Kind for reading in await _sizes(ground, kind)]


async def _sizes(ground: Ground, kind: Kind) -> list[Reading]:
    a_message: dict[str, list[float]] = defaultdict(list)
    in_all: dict[str, list[float]] = defaultdict(list)
    async with _playing(ground, kind) as (owner, publisher):
        for number in range(PLAYS):
            pace = asyncio.create_task(asyncio.sleep(PLAY_SECONDS))
            messages = range(number * MESSAGES, (number + 1) * MESSAGES)
            await _play(owner, publisher, messages)
            await eventually(partial(owner.fetchval, DONE, messages.stop), DEADLINE_SECONDS)
            await pace
            for statement, kept in ((SIZES_A_MESSAGE, a_message), (SIZES_IN_ALL, in_all)):
                for name, size in await owner.fetch(statement):
                    kept[name].append(size)
            now = ", ".join(f"{name} {values[-1]:.1f}" for name, values in (a_message | in_all).items())
            sys.stderr.write(f"{kind} database, after {number + 1} of {PLAYS} plays: {now}\n")
    return [
        *_readings(kind, a_message, "bytes a message"),
        *_readings(kind, in_all, "MiB"),
        Reading(
            f"growth.size.{kind}",
            f"{kind} database, the most in the last {LAST} plays beside that before, of whatever grew most",
            "times",
            [
                max(
                    *map(_growth, a_message.values()),
                    *(_growth(values, SMALLEST_MEBIBYTES) for values in in_all.values()),
                )
            ],
            TIMES_AS_LARGE,
        ),
    ]


def _growth(sizes: Sequence[float], smallest: float = 0.0) -> float:
    return max(smallest, *sizes[-LAST:]) / max(smallest, *sizes[:-LAST])


def _readings(kind: Kind, sizes: Mapping[str, Sequence[float]], unit: str) -> list[Reading]:
    return [
        Reading(f"growth.size.{kind}.{name}", f"{kind} database, {name} after each of {PLAYS} plays", unit, values)
        for name, values in sizes.items()
    ]


async def _play(owner: asyncpg.Connection, publisher: Publisher, messages: range) -> None:
    """Let the platform send these messages, and Meta tell of each that it is sent, delivered and read."""
    await create_rows(owner, messages)
    for number, begin in enumerate(messages[::STORED_AT_ONCE]):
        part = range(begin, begin + STORED_AT_ONCE)
        told = _records(part, "sent")
        if number % LATE == 0:
            await publisher.publish(told)
            await store_answers(owner, part)
        else:
            await store_answers(owner, part)
            await publisher.publish(told)
    chance = random.Random(messages.start)
    for status in ("delivered", "read"):
        shuffled = chance.sample(messages, len(messages))
        for begin in range(0, len(shuffled), STORED_AT_ONCE):
            await publisher.publish(_records(shuffled[begin : begin + STORED_AT_ONCE], status))


def _records(messages: Iterable[int], status: str) -> list[Record]:
    told = [raw_status(message_id(message), status) for message in messages]
    return [Record(RAW_STATUS, one.key, one.value or b"") for one in told]


@contextlib.asynccontextmanager
async def _playing(ground: Ground, kind: Kind) -> AsyncIterator[tuple[asyncpg.Connection, Publisher]]:
    async with (
        ground.place(f"sizes-{kind}") as place,
        grown_database(ground, kind, 0) as url,
        ground.service(
            "status_service",
            Place(url, {**place.settings, "DATABASE_URL": as_role(url, "status_service")}, place.directory),
        ),
    ):
        owner = await asyncpg.connect(url)
        try:
            async with publisher(place) as publishing:
                yield owner, publishing
        finally:
            await owner.close()
