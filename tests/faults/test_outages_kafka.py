"""Kafka goes away, in part or altogether, under load: Meta is told so in time, and the services go on by themselves."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from time import monotonic
from typing import TypeAlias

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.faults.cluster import ClusterBroker, KafkaCluster
from tests.faults.outage import Answer, Pair, load
from tests.integration.processes import running
from tests.waiting import eventually

Misfortune: TypeAlias = Callable[[Sequence[ClusterBroker]], contextlib.AbstractAsyncContextManager[None]]

PUBLISH_TIMEOUT_SECONDS = 3.0
# Meta wants 250 ms; a busy machine of two cores takes ten times that, and a lookup of metadata longer.
POST_SECONDS = 2.5
# What the consumer promises of its end.
STATUS_END_SECONDS = 15.0
# A lost broker's partitions have new leaders within 6 s here.
ELECTION_SECONDS = 10.0
# Brokers that were all away find each other first; then the consumer finds its group.
GOES_ON_SECONDS = 20.0
# The consumer gives up a request that is not answered for 15 s.
GIVEN_UP_SECONDS = 25.0
HANG_SECONDS = 45.0
# Webhooks of as many WABAs are records for each of the three partitions.
WABAS = 12
# Some 40 s of webhooks with some statuses each: longer than the misfortune, which is to fall into the play.
CAMPAIGN = ("--recipients=3000", "--rate=30", "--max-statuses=20", "--seed=24")
# Some 60 s.
LONG_CAMPAIGN = ("--recipients=8000", "--rate=50", "--max-statuses=20", "--seed=22")
# Some 120 s.
LONGER_CAMPAIGN = ("--recipients=8000", "--rate=30", "--max-statuses=20", "--seed=23")


def body(waba: int, size: int = 0) -> bytes:
    changes = [{"field": "lifecycle", "value": {"text": "x" * size}}]
    return json.dumps({"entry": [{"id": f"waba {waba}", "changes": changes}]}).encode()


async def post_everywhere(pair: Pair) -> list[Answer]:
    """Post at once what goes to each partition of a topic."""
    return await asyncio.gather(*(pair.post(body(waba)) for waba in range(WABAS)))


async def is_acknowledged_everywhere(pair: Pair, deadline_seconds: float) -> float:
    """Wait until each partition takes records again, and give the seconds it took."""
    began = monotonic()

    async def acknowledged() -> bool:
        return all(answer.status == 200 for answer in await post_everywhere(pair))

    await eventually(acknowledged, deadline_seconds)
    return monotonic() - began


@contextlib.asynccontextmanager
async def paused(brokers: Sequence[ClusterBroker]) -> AsyncIterator[None]:
    for broker in brokers:
        broker.pause()
    yield
    for broker in brokers:
        broker.resume()


@contextlib.asynccontextmanager
async def killed(brokers: Sequence[ClusterBroker]) -> AsyncIterator[None]:
    """Kill them at once, as the loss of their machines does."""
    await asyncio.gather(*(asyncio.to_thread(broker.kill) for broker in brokers))
    yield
    await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in brokers))


def leader(cluster: KafkaCluster, pair: Pair) -> ClusterBroker:
    found = cluster.leader(f"{pair.environment['TOPIC_PREFIX']}raw.status", 0)
    assert found is not None
    return found


async def coordinator(cluster: KafkaCluster, pair: Pair) -> ClusterBroker:
    """Give the broker that knows the consumer's group and its offsets."""
    async with administrating(cluster) as admin:
        number = await admin.find_coordinator(pair.environment["CONSUMER_GROUP"])
    return next(broker for broker in cluster.brokers if broker.node.number == number)


@contextlib.asynccontextmanager
async def administrating(cluster: KafkaCluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@pytest.mark.long
async def test_without_one_broker_the_receiver_acknowledges_within_seconds(cluster: KafkaCluster, pair: Pair) -> None:
    async with load(pair, *CAMPAIGN):
        lost = leader(cluster, pair)
        await asyncio.to_thread(lost.kill)
        await is_acknowledged_everywhere(pair, ELECTION_SECONDS)
        await pair.applies_more(ELECTION_SECONDS)
        assert leader(cluster, pair) is not lost
    # The whole campaign has gone through without it.
    assert lost.pid is None


@pytest.mark.long
async def test_a_broker_that_is_killed_and_comes_back_is_waited_for(cluster: KafkaCluster, pair: Pair) -> None:
    async with load(pair, *LONGER_CAMPAIGN):
        for broker in cluster.brokers:
            await asyncio.to_thread(broker.kill)
            await is_acknowledged_everywhere(pair, ELECTION_SECONDS)
            await asyncio.to_thread(broker.start)
            await eventually(lambda: asyncio.to_thread(cluster.is_whole))
            await pair.catches_up(GOES_ON_SECONDS)


@pytest.mark.long
async def test_the_loss_of_the_controller_is_waited_for(cluster: KafkaCluster, pair: Pair) -> None:
    async with load(pair, *LONG_CAMPAIGN):
        lost = cluster.controller()
        assert lost is not None
        await asyncio.to_thread(lost.kill)
        await is_acknowledged_everywhere(pair, ELECTION_SECONDS)
        await pair.applies_more(ELECTION_SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("role", ["leader", "coordinator"])
async def test_a_broker_that_hangs_holds_up_nothing_for_long(cluster: KafkaCluster, pair: Pair, role: str) -> None:
    async with load(pair, *LONG_CAMPAIGN):
        hung = leader(cluster, pair) if role == "leader" else await coordinator(cluster, pair)
        async with paused([hung]):
            hanging = asyncio.create_task(is_not_missed(pair, HANG_SECONDS))
            # Also of the partitions that it led.
            await pair.catches_up(GIVEN_UP_SECONDS)
            await hanging
        await pair.applies_more(GOES_ON_SECONDS)


async def test_one_broker_that_hangs_is_not_missed_and_without_any_meta_is_told_in_time(
    cluster: KafkaCluster, pair: Pair
) -> None:
    async with load(pair, *CAMPAIGN) as played:
        first = leader(cluster, pair)
        async with paused([first]):
            await is_not_missed(pair, seconds=8)
            async with paused([broker for broker in cluster.brokers if broker is not first]):
                await are_missed(pair, seconds=3)
        await all_goes_on(pair)
    assert played.answered("503")


@pytest.mark.long
@pytest.mark.parametrize("misfortune", [paused, killed])
async def test_without_any_broker_for_long_meta_is_told_in_time(
    cluster: KafkaCluster, pair: Pair, misfortune: Misfortune
) -> None:
    async with load(pair, *LONG_CAMPAIGN) as played:
        async with misfortune(cluster.brokers):
            await are_missed(pair, seconds=30)
        await all_goes_on(pair)
    assert played.answered("503")


async def is_not_missed(pair: Pair, seconds: float) -> None:
    """Wait until everything goes on without a broker, and see that nobody would take a service out of work for it."""
    end = monotonic() + seconds
    await is_acknowledged_everywhere(pair, ELECTION_SECONDS)
    while monotonic() < end:
        assert await pair.ready(pair.ingest)
        assert await pair.ready(pair.status)
        await asyncio.sleep(0.2)


async def are_missed(pair: Pair, seconds: float) -> None:
    """See that everybody is told in time, for as long as that."""
    end = monotonic() + seconds
    answers = await post_everywhere(pair)
    assert {answer.status for answer in answers} == {503}
    assert max(answer.seconds for answer in answers) < PUBLISH_TIMEOUT_SECONDS + 1
    for service, name in ((pair.ingest, "ingest"), (pair.status, "status")):
        await pair.becomes_unready(service)
        assert await pair.metric(service, f"{name}_broker_reachable") == 0
    await asyncio.sleep(max(0, end - monotonic()))


async def all_goes_on(pair: Pair) -> None:
    await is_acknowledged_everywhere(pair, GOES_ON_SECONDS)
    await pair.applies_more(GOES_ON_SECONDS)
    await pair.becomes_ready(pair.ingest)
    await pair.becomes_ready(pair.status)


async def test_a_record_too_large_for_its_topic_costs_the_others_nothing(cluster: KafkaCluster, pair: Pair) -> None:
    async with administrating(cluster) as admin:
        topic = f"{pair.environment['TOPIC_PREFIX']}raw.other"
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "5000"})])

    async def refused() -> bool:
        return (await pair.post(body(0, size=10_000))).status == 503

    await eventually(refused)
    for _ in range(5):
        *others, large = await asyncio.gather(
            *(pair.post(body(waba)) for waba in range(WABAS)), pair.post(body(0, size=10_000))
        )
        assert large.status == 503
        assert {answer.status for answer in others} == {200}
        assert max(answer.seconds for answer in [*others, large]) < POST_SECONDS
    assert await pair.ready(pair.ingest)
    assert "metadata" not in pair.ingest.log_file.read_text()


@pytest.mark.long
async def test_the_consumer_ends_in_time_with_a_commit_under_way(cluster: KafkaCluster, pair: Pair) -> None:
    async with load(pair, *CAMPAIGN):
        async with paused([await coordinator(cluster, pair)]):
            await pair.applies_more(ELECTION_SECONDS)
            await pair.terminates(pair.status, STATUS_END_SECONDS)
        await pair.start_status()


@pytest.mark.long
@pytest.mark.parametrize("hanging", [False, True])
async def test_the_consumer_ends_in_time_while_its_group_rebalances(
    cluster: KafkaCluster, pair: Pair, *, hanging: bool
) -> None:
    group = pair.environment["CONSUMER_GROUP"]
    log_file = pair.environment.run_directory / "second.log"
    async with load(pair, *CAMPAIGN), administrating(cluster) as admin:

        async def rebalances() -> bool:
            ((response,),) = [found.groups for found in await admin.describe_consumer_groups([group])]
            return response[2] in {"PreparingRebalance", "CompletingRebalance"}

        # The second one is ready when the rebalance is over.
        starting = pair.stack.enter_async_context(
            running("status_service", log_file, pair.http, **pair.status_settings)
        )
        second = asyncio.create_task(starting)
        await eventually(rebalances)
        async with paused(cluster.brokers) if hanging else contextlib.nullcontext():
            await pair.terminates(pair.status, STATUS_END_SECONDS)
        pair.status = await second
