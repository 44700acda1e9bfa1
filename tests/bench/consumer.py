"""The consumer: a backlog in Kafka, until all of it is applied, counted and published."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from time import monotonic
from typing import Any
from uuid import uuid4

import asyncpg
import psycopg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from psycopg import sql

from shared.records import Record
from shared.topics import RAW_STATUS
from tests.bench.floor import WARMING_UP
from tests.bench.ground import Ground, Place, run_command
from tests.bench.measured import Contest, Results
from tests.bench.publishing import publisher
from tests.bench.statuses import Load, Order
from tests.conftest import as_role, drop_database
from tests.waiting import eventually

FULL = Load(rows=300_000, campaigns=30, repetitions=100_000)
QUICK = Load(rows=60_000, campaigns=6, repetitions=20_000)
ONE_CAMPAIGN = Load(rows=300_000, campaigns=1, repetitions=100_000)
CONSUMERS = (1, 2, 4, 6)
FLOOR, OURS, OBVIOUS = "the merge statement alone", "status_service", "one update a status"
OBVIOUS_STATUSES = 5_000
PRODUCED_AT_ONCE = 5_000
POLL_SECONDS = 0.1
DEADLINE_SECONDS = 300.0


async def measure(ground: Ground, rounds: int) -> Results:
    contests = [await _contests(ground, rounds, FULL, order) for order in Order]
    return Results("consumer", [contest for pair in contests for contest in pair])


async def measure_quickly(ground: Ground, rounds: int) -> Results:
    return Results("consumer", await _contests(ground, rounds, QUICK, Order.CAMPAIGN))


async def measure_several(ground: Ground, rounds: int) -> Results:
    """Let several consumers share a backlog of one single campaign."""
    async with ground.place("consumers") as place:
        await prepare(place, ONE_CAMPAIGN, Order.CAMPAIGN)
        values: dict[str, list[float]] = {f"{number} consumers": [] for number in CONSUMERS}
        for turn in range(rounds):
            for number in CONSUMERS[:: 1 if turn % 2 else -1]:
                async with copied(ground, place) as copy:
                    rate = await rate_of_services(ground, copy, ONE_CAMPAIGN, number)
                values[f"{number} consumers"].append(rate)
                sys.stderr.write(f"{number} consumers: {rate:,.0f} statuses/s\n")
    one, *several = values
    question = f"{ONE_CAMPAIGN.statuses:,} statuses of one campaign"
    contest = Contest("consumers", question, "statuses/s", values, one, dict.fromkeys(several, 0.9))
    return Results("consumers", [contest])


async def _contests(ground: Ground, rounds: int, load: Load, order: Order) -> list[Contest]:
    """Compare with what cannot be beaten, and with what one would write first."""
    async with ground.place(f"consumer-{order}") as place:
        await prepare(place, load, order)
        values: dict[str, list[float]] = {FLOOR: [], OURS: [], OBVIOUS: []}
        for turn in range(rounds):
            # Each is first every other time.
            for name in list(values)[:: 1 if turn % 2 else -1]:
                async with copied(ground, place) as copy:
                    values[name].append(await _rate(ground, copy, load, name))
                sys.stderr.write(f"{order} order, {name}: {values[name][-1]:,.0f} statuses/s\n")
    question = f"{load.statuses:,} statuses over {load.rows:,} rows, in {order} order"
    name, unit, rates = f"consumer, {order} order", "statuses/s", {OURS: values[OURS], OBVIOUS: values[OBVIOUS]}
    return [
        Contest(name, question, unit, {FLOOR: values[FLOOR], OURS: values[OURS]}, FLOOR, {OURS: 0.85}),
        Contest(f"{name}, beside the obvious", question, unit, rates, OBVIOUS, {OURS: 20}),
    ]


async def prepare(place: Place, load: Load, order: Order) -> None:
    """Create the rows, and the backlog."""
    owner = await asyncpg.connect(place.owner_url)
    try:
        await load.create_rows(owner)
    finally:
        await owner.close()
    async with publisher(place) as publishing:
        for records in _in_parts(Record(RAW_STATUS, key, value) for key, value in load.records(order)):
            await publishing.publish(records)


@contextlib.asynccontextmanager
async def copied(ground: Ground, place: Place) -> AsyncIterator[Place]:
    """Give a copy of the database as it was prepared, and a consumer group that has read nothing."""
    original, name = place.owner_url.rsplit("/", 1)[1], f"copy_{uuid4().hex}"
    url = ground.stack.postgres.url()

    def copy() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            copying = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            connection.execute(copying.format(sql.Identifier(name), sql.Identifier(original)))

    await asyncio.to_thread(copy)
    try:
        owner_url = ground.stack.postgres.url(name)
        changes = {"DATABASE_URL": as_role(owner_url, "status_service"), "CONSUMER_GROUP": name}
        yield Place(owner_url, {**place.settings, **changes}, place.directory)
    finally:
        await asyncio.to_thread(drop_database, ground.stack.postgres, name)


async def _rate(ground: Ground, place: Place, load: Load, name: str) -> float:
    if name == OURS:
        return await rate_of_services(ground, place, load, 1)
    way, statuses = ("merge", load.statuses) if name == FLOOR else ("obvious", OBVIOUS_STATUSES)
    return float(await run_command("tests.bench.floor", way, str(statuses), **place.settings))


async def rate_of_services(ground: Ground, place: Place, load: Load, number: int) -> float:
    """Run so many services until the backlog is gone; give the statuses a second since all are ready, after a tenth."""
    admin = AIOKafkaAdminClient(bootstrap_servers=place.settings["KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        async with contextlib.AsyncExitStack() as services:
            # At once, or the first would be done with most of it before the last is there.
            started = (services.enter_async_context(ground.service("status_service", place)) for _ in range(number))
            await asyncio.gather(*started)
            began, first = await _committed(admin, place, int(WARMING_UP * load.statuses))
            assert first < load.statuses / 2, "half of the backlog was gone before all consumers were ready"
            ended, last = await _committed(admin, place, load.statuses)
            await _assert_counted_and_told(place, load)
    finally:
        await admin.close()
    return (last - first) / (ended - began)


async def _committed(admin: AIOKafkaAdminClient, place: Place, at_least: int) -> tuple[float, int]:
    """Wait until so many statuses are committed to Kafka, and with that published; give the time and the number."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            offsets: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(
                place.settings["CONSUMER_GROUP"]
            )
            now, number = monotonic(), sum(committed.offset for committed in offsets.values())
            if number >= at_least:
                return now, number
            await asyncio.sleep(POLL_SECONDS)


async def _assert_counted_and_told(place: Place, load: Load) -> None:
    owner = await asyncpg.connect(place.owner_url)

    async def empty() -> bool:
        return bool(await owner.fetchval("SELECT NOT EXISTS (SELECT FROM status_outbox)"))

    try:
        counts = await owner.fetchrow(
            "SELECT sum(successful_sends), sum(delivered_count), sum(read_count),"
            " count(*) FILTER (WHERE status = 'completed') FROM campaign_logs"
        )
        assert tuple(counts or ()) == (load.rows, load.rows, load.rows, load.campaigns), counts
        await eventually(empty)
    finally:
        await owner.close()


def _in_parts(records: Iterator[Record]) -> Iterator[list[Record]]:
    while part := list(islice(records, PRODUCED_AT_ONCE)):
        yield part
