"""The cluster keeps what it acknowledged with one broker gone, and acknowledges nothing with two gone."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from tests.faults.cluster import KafkaCluster
from tests.integration.topic_reader import read_until
from tests.waiting import eventually

PARTITIONS = 3
REQUEST_TIMEOUT_MS = 1000


@pytest.fixture
async def topic(cluster: KafkaCluster) -> str:
    name = uuid4().hex
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, len(cluster.brokers))])
    await admin.close()
    await eventually(lambda: asyncio.to_thread(known_everywhere, cluster, name))
    return name


def known_everywhere(cluster: KafkaCluster, topic: str) -> bool:
    return all(len(broker.partitions(topic)) == PARTITIONS for broker in cluster.brokers)


@pytest.fixture
async def producer(cluster: KafkaCluster) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(
        bootstrap_servers=cluster.bootstrap_servers, acks="all", request_timeout_ms=REQUEST_TIMEOUT_MS
    ) as producer:
        yield producer


async def acknowledged(producer: AIOKafkaProducer, topic: str, value: bytes) -> list[bool]:
    """Write a record to each partition and tell which are acknowledged."""
    sent = (producer.send_and_wait(topic, value, partition=number) for number in range(PARTITIONS))
    answers = await asyncio.gather(*sent, return_exceptions=True)
    assert all(isinstance(answer, KafkaError) for answer in answers if isinstance(answer, BaseException)), answers
    return [not isinstance(answer, BaseException) for answer in answers]


async def all_acknowledged(producer: AIOKafkaProducer, topic: str, value: bytes) -> None:
    async def acknowledged_everywhere() -> bool:
        return all(await acknowledged(producer, topic, value))

    await eventually(acknowledged_everywhere)


async def read(cluster: KafkaCluster, topic: str, value: bytes) -> None:
    """Read until the value was there from each partition."""

    def everywhere(records: list[ConsumerRecord]) -> bool:
        return len({record.partition for record in records if record.value == value}) == PARTITIONS

    await read_until(cluster.bootstrap_servers, [topic], everywhere)


async def test_with_one_broker_killed_records_are_acknowledged_and_read(
    cluster: KafkaCluster, topic: str, producer: AIOKafkaProducer
) -> None:
    assert all(await acknowledged(producer, topic, b"before"))
    controller = cluster.controller()
    assert controller is not None
    controller.kill()
    await all_acknowledged(producer, topic, b"after")
    await read(cluster, topic, b"before")
    await read(cluster, topic, b"after")


async def test_with_two_brokers_killed_nothing_is_acknowledged_until_one_is_back(
    cluster: KafkaCluster, topic: str, producer: AIOKafkaProducer
) -> None:
    first, second, _ = cluster.brokers
    first.kill()
    second.kill()
    assert not any(await acknowledged(producer, topic, b"refused"))
    await asyncio.to_thread(second.start)
    await all_acknowledged(producer, topic, b"taken")
    await read(cluster, topic, b"taken")


async def test_the_partitions_of_a_paused_broker_move_and_it_comes_back(
    cluster: KafkaCluster, topic: str, producer: AIOKafkaProducer
) -> None:
    paused = cluster.leader(topic, 0)
    assert paused is not None
    paused.pause()

    async def moved() -> bool:
        leader = await asyncio.to_thread(cluster.leader, topic, 0)
        return leader not in {None, paused}

    await eventually(moved)
    await all_acknowledged(producer, topic, b"without it")
    paused.resume()
    await eventually(lambda: asyncio.to_thread(cluster.is_whole))
    await read(cluster, topic, b"without it")
