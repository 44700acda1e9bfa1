"""Records as they are on a topic: produced beside the services, and read to the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from shared.partition import partition_of
from shared.records import Header
from shared.topics import LARGE_MESSAGE_BYTES
from tests.waiting import DEADLINE_SECONDS, eventually


class Given(NamedTuple):
    """A record to produce."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()


class Place(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


async def produce(
    bootstrap_servers: str, topic: str, given: Sequence[Given], partition: int | None = None
) -> list[Place]:
    """Produce records, to one partition or where their keys belong; give the place of each."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", linger_ms=20, max_request_size=LARGE_MESSAGE_BYTES
    )
    await producer.start()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            number = len(await producer.partitions_for(topic))
            sent = [
                await producer.send(
                    topic,
                    record.value,
                    record.key,
                    partition_of(record.key or b"", number) if partition is None else partition,
                    headers=list(record.headers),
                )
                for record in given
            ]
            return [Place(kept.partition, kept.offset) for kept in await asyncio.gather(*sent)]
    finally:
        await producer.stop()


async def read_whole(bootstrap_servers: str, topics: Sequence[str]) -> list[ConsumerRecord]:
    """Read topics from their beginning to their present end."""
    async with _reading(bootstrap_servers, topics) as consumer:
        return await _to_the_end(consumer)


@contextlib.asynccontextmanager
async def arrivals(bootstrap_servers: str, topic: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Give a question that has its answer at once: whether anything has come to the topic meanwhile."""
    async with _reading(bootstrap_servers, [topic]) as consumer:
        await _to_the_end(consumer)

        async def anything() -> bool:
            return bool(await consumer.getmany(timeout_ms=1000))

        yield anything


async def committed_to_the_end(bootstrap_servers: str, group: str, topic: str) -> None:
    """Wait until a consumer group has committed everything that is on a topic by now."""
    ends: dict[int, int] = {}
    for record in await read_whole(bootstrap_servers, [topic]):
        ends[record.partition] = record.offset + 1
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False)
    await consumer.start()

    async def done() -> bool:
        committed = {number: await consumer.committed(TopicPartition(topic, number)) or 0 for number in ends}
        return all(committed[number] >= end for number, end in ends.items())

    try:
        await eventually(done)
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def _reading(bootstrap_servers: str, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer at the beginning of topics."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=LARGE_MESSAGE_BYTES,
    )
    await consumer.start()
    try:
        places = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(await consumer._client._wait_on_metadata(topic))
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        yield consumer
    finally:
        await consumer.stop()


async def each(bootstrap_servers: str, topics: Sequence[str]) -> AsyncIterator[ConsumerRecord]:
    """Give everything that is on topics, one by one."""
    async with _reading(bootstrap_servers, topics) as consumer:
        async for record in _each_to_the_end(consumer):
            yield record


async def _to_the_end(consumer: AIOKafkaConsumer) -> list[ConsumerRecord]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [record async for record in _each_to_the_end(consumer)]


async def _each_to_the_end(consumer: AIOKafkaConsumer) -> AsyncIterator[ConsumerRecord]:
    places = consumer.assignment()
    ends: dict[TopicPartition, int] = {}
    while len(ends) < len(places) or [place for place in places if await consumer.position(place) < ends[place]]:
        polled = await consumer.getmany(timeout_ms=50)
        for found in polled.values():
            for record in found:
                yield record
        # What came with a fetch is right on every broker; the first is the end that is meant.
        for place in places:
            if (end := consumer.highwater(place)) is not None:
                ends.setdefault(place, end)
