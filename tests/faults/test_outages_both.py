"""PostgreSQL and brokers go away at once, and in turn, for minutes, as chance wants it."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import aiohttp
import pytest

from tests.faults.cluster import KafkaCluster
from tests.faults.databases import Database
from tests.faults.outage import Answer, Pair, load, services
from tests.faults.postgres import FaultyPostgres
from tests.waiting import eventually

Misfortune: TypeAlias = Callable[[FaultyPostgres, KafkaCluster], contextlib.AbstractAsyncContextManager[None]]

# What each service promises of its end.
INGEST_END_SECONDS = 10.0
STATUS_END_SECONDS = 15.0
SECONDS = 120.0
SHORTEST_SECONDS = 0.5
LONGEST_OUTAGE_SECONDS = 8.0
LONGEST_PAUSE_SECONDS = 4.0
# All is back: the consumer finds its group, and PostgreSQL after its longest pause between two attempts.
GOES_ON_SECONDS = 30.0
# Some 150 s of webhooks.
CAMPAIGN = ("--recipients=16000", "--rate=40", "--max-statuses=20")


@contextlib.asynccontextmanager
async def without_postgres(server: FaultyPostgres, chance: random.Random) -> AsyncIterator[str]:
    if chance.random() < 0.5:
        await asyncio.to_thread(server.pause)
        yield "PostgreSQL paused"
        await asyncio.to_thread(server.resume)
    else:
        await asyncio.to_thread(server.kill_9)
        yield "PostgreSQL killed"
        await asyncio.to_thread(server.start)


@contextlib.asynccontextmanager
async def without_brokers(cluster: KafkaCluster, chance: random.Random) -> AsyncIterator[str]:
    """Take one away, or all: three that hang tell more than two."""
    chosen = cluster.brokers if chance.random() < 0.3 else [chance.choice(cluster.brokers)]
    names = ", ".join(str(broker.node.number) for broker in chosen)
    if chance.random() < 0.5:
        for broker in chosen:
            broker.pause()
        yield f"brokers {names} paused"
        for broker in chosen:
            broker.resume()
    else:
        await asyncio.gather(*(asyncio.to_thread(broker.kill) for broker in chosen))
        yield f"brokers {names} killed"
        await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in chosen))


async def go_away_and_come_back(
    server: FaultyPostgres, cluster: KafkaCluster, chance: random.Random
) -> AsyncIterator[str]:
    """Give each misfortune as it begins; whoever iterates waits it out."""
    misfortunes = [
        [without_postgres(server, chance)],
        [without_brokers(cluster, chance)],
        [without_postgres(server, chance), without_brokers(cluster, chance)],
    ]
    async with contextlib.AsyncExitStack() as stack:
        for misfortune in chance.choice(misfortunes):
            yield await stack.enter_async_context(misfortune)


@contextlib.asynccontextmanager
async def all_paused(server: FaultyPostgres, cluster: KafkaCluster) -> AsyncIterator[None]:
    await asyncio.to_thread(server.pause)
    for broker in cluster.brokers:
        broker.pause()
    yield
    await asyncio.to_thread(server.resume)
    for broker in cluster.brokers:
        broker.resume()


@contextlib.asynccontextmanager
async def brokers_paused(_server: FaultyPostgres, cluster: KafkaCluster) -> AsyncIterator[None]:
    for broker in cluster.brokers:
        broker.pause()
    yield
    for broker in cluster.brokers:
        broker.resume()


@contextlib.asynccontextmanager
async def brokers_killed(_server: FaultyPostgres, cluster: KafkaCluster) -> AsyncIterator[None]:
    await asyncio.gather(*(asyncio.to_thread(broker.kill) for broker in cluster.brokers))
    yield
    await asyncio.to_thread(cluster.start)


@pytest.mark.parametrize(
    "misfortune",
    [
        all_paused,
        pytest.param(brokers_paused, marks=pytest.mark.long),
        pytest.param(brokers_killed, marks=pytest.mark.long),
    ],
)
async def test_both_services_end_in_time(
    postgres_18: FaultyPostgres, cluster: KafkaCluster, pair: Pair, misfortune: Misfortune
) -> None:
    async with load(pair, "--recipients=2000", "--rate=80", "--max-statuses=20", "--seed=31"):
        async with misfortune(postgres_18, cluster):
            # A publication of the receiver is under way, and a batch or the publication of its events.
            posts = asyncio.gather(*(pair.post() for _ in range(5)), return_exceptions=True)
            await eventually(lambda: pair.metric(pair.ingest, "ingest_requests_in_flight"))
            await asyncio.gather(
                pair.terminates(pair.ingest, INGEST_END_SECONDS), pair.terminates(pair.status, STATUS_END_SECONDS)
            )
            assert all(answer.status == 503 for answer in await posts if isinstance(answer, Answer))
        await asyncio.gather(pair.start_ingest(), pair.start_status())


@pytest.mark.long
async def test_a_receiver_of_several_workers_ends_in_time(
    cluster: KafkaCluster, kafka: dict[str, str], database: Database, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with services(http, kafka, database, tmp_path, WORKERS="2") as pair:
        for broker in cluster.brokers:
            broker.pause()
        posts = asyncio.gather(*(pair.post() for _ in range(20)), return_exceptions=True)
        await eventually(lambda: pair.metric(pair.ingest, "ingest_requests_in_flight"))
        await pair.terminates(pair.ingest, INGEST_END_SECONDS)
        assert {answer.status for answer in await posts if isinstance(answer, Answer)} == {503}


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_while_all_goes_away_and_comes_back(
    postgres_18: FaultyPostgres, cluster: KafkaCluster, pair: Pair, seed: int
) -> None:
    chance = random.Random(seed)
    async with load(pair, f"--seed={seed}", *CAMPAIGN) as played:
        end = monotonic() + SECONDS
        while monotonic() < end:
            async for _misfortune in go_away_and_come_back(postgres_18, cluster, chance):
                await asyncio.sleep(chance.uniform(SHORTEST_SECONDS, LONGEST_OUTAGE_SECONDS))
            await asyncio.sleep(chance.uniform(SHORTEST_SECONDS, LONGEST_PAUSE_SECONDS))
        await asyncio.to_thread(cluster.repair)
        await pair.applies_more(GOES_ON_SECONDS)
    assert played.answered("503"), "no outage of Kafka was felt"
    assert await pair.metric(pair.status, "status_apply_retries_total"), "no outage of PostgreSQL was felt"
