"""Reads what is on a topic."""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.topics import LARGE_MESSAGE_BYTES
from tests.waiting import DEADLINE_SECONDS


async def read_until(
    bootstrap_servers: str, topics: Sequence[str], enough: Callable[[list[ConsumerRecord]], bool]
) -> list[ConsumerRecord]:
    """Read topics from their beginning until there is enough; fail after DEADLINE_SECONDS."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=LARGE_MESSAGE_BYTES,
    )
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in await consumer._client._wait_on_metadata(topic)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        records: list[ConsumerRecord] = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not enough(records):
                polled = await consumer.getmany(timeout_ms=200)
                records += [record for found in polled.values() for record in found]
        return records
    finally:
        await consumer.stop()
