"""Listens to what the services publish, as any program that subscribes to it would."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from tests.simulator.background import in_background
from tests.simulator.environment import Environment
from tests.simulator.failure import SimulationError
from tests.simulator.ledger import Ledger

CAMPAIGN = "campaign"
EVENTS = {"status.sent": "sent", "status.delivered": "delivered", "status.read": "read", "status.failed": "failed"}

# A broker that starts takes some seconds; topics that are not there would be waited for.
START_DEADLINE_SECONDS = 20
CLOSE_DEADLINE_SECONDS = 2
POLL_MS = 200

# What it repeats several times a second during an outage would bury what the play says.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@contextlib.asynccontextmanager
async def subscribed(environment: Environment, ledger: Ledger) -> AsyncIterator[None]:
    """Give the ledger what is published from now on. A broker that goes away meanwhile is waited for by aiokafka."""
    prefix = environment.topic_prefix
    topics = [prefix + suffix for suffix in (*EVENTS, CAMPAIGN)]
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=environment.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    try:
        await _start(consumer, topics)
        async with in_background(_listen(consumer, prefix, ledger)):
            yield
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_DEADLINE_SECONDS):
                await consumer.stop()


async def _start(consumer: AIOKafkaConsumer, topics: list[str]) -> None:
    try:
        async with asyncio.timeout(START_DEADLINE_SECONDS):
            await consumer.start()
            # A subscription would begin anew where an outage shows it other partitions for a moment.
            partitions = list(consumer.assignment())
            consumer.unsubscribe()
            consumer.assign(partitions)
            # Light brokers tell less than the end, which is as good: what is older is about other campaigns.
            for partition, offset in (await consumer.end_offsets(partitions)).items():
                consumer.seek(partition, offset)
    except (KafkaError, TimeoutError) as error:
        raise SimulationError(f"no subscription to {', '.join(topics)}: {error!r}") from None


async def _listen(consumer: AIOKafkaConsumer, prefix: str, ledger: Ledger) -> None:
    while True:
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
            suffix = partition.topic.removeprefix(prefix)
            for record in records:
                if suffix == CAMPAIGN:
                    ledger.note_campaign(record.key, record.value or b"")
                else:
                    ledger.note_event(EVENTS[suffix], record.key, record.headers, record.value or b"")
