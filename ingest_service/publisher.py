"""Publishes records in shared batches: what gathers while two groups are under way goes out as the next one.

There is no timer. An idle receiver publishes at once, a busy one in batches as large as the broker is slow. Every
webhook waits for its own batches only, and one whose time is up is dropped before it is handed over.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from time import perf_counter
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from ingest_service import metrics
from ingest_service.envelope import Record
from shared import kafka
from shared.partition import partition_of
from shared.settings import ServiceSettings
from shared.topics import MEBIBYTE, RAW_TOPICS

# Two: while Kafka writes one group the next is already on its way; with more, batches only get smaller.
GROUPS_IN_FLIGHT: Final = 2
# One record batch; below every topic's max.message.bytes. A record larger than this travels alone.
BATCH_BYTES: Final = MEBIBYTE // 2
# aiokafka gives a batch up after its time to live and one more request of the same length, so no group outlives this.
GROUP_DEADLINE_FACTOR: Final = 3
# Stopping: what is under way is acknowledged within the publish timeout, or nobody waits for it any more.
STOP_DEADLINE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class NotPublishedError(Exception):
    """Kafka did not acknowledge a record; the webhook must be sent again."""


class _Delivery:
    """The records of one webhook and the future it waits on."""

    __slots__ = ("done", "outstanding", "records")

    def __init__(self, records: Sequence[Record], done: asyncio.Future[None]) -> None:
        self.records = records
        self.done = done
        self.outstanding = 0


class _Batch:
    """One record batch for one partition, and the webhooks that have records in it."""

    __slots__ = ("builder", "deliveries", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int, builder: BatchBuilder) -> None:
        self.topic = topic
        self.partition = partition
        self.builder = builder
        self.deliveries: list[_Delivery] = []
        self.records = 0

    def append(self, record: Record, delivery: _Delivery) -> bool:
        """Add a record if there is room; the first one always fits."""
        if self.builder.append(timestamp=None, key=record.key, value=record.value) is None:
            return False
        self.records += 1
        if not self.deliveries or self.deliveries[-1] is not delivery:
            self.deliveries.append(delivery)
            delivery.outstanding += 1
        return True


class Publisher:
    """Hands records to Kafka with acks=all."""

    def __init__(self, settings: ServiceSettings, publish_timeout: float) -> None:
        self._settings = settings
        self._timeout = publish_timeout
        self._prefix = settings.topic_prefix
        self._gathered: list[_Delivery] = []
        self._groups: set[asyncio.Task[None]] = set()
        self._start_scheduled = False
        self._any_partition = count()

    async def start(self) -> None:
        """Connect. Raises KafkaUnavailableError."""
        self._producer = AIOKafkaProducer(
            **kafka.connection(self._settings),
            acks="all",
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=int(self._timeout * 1000),
        )
        await kafka.connect(self._producer.start, self._settings)
        # Once: a lookup of a topic that was deleted since would hold up the records of all the others.
        names = [topic.name(self._prefix) for topic in RAW_TOPICS]
        self._partitions = {name: len(await self._producer.partitions_for(name)) for name in names}

    async def stop(self) -> None:
        """Wait for what is under way, then leave; at most twice STOP_DEADLINE_SECONDS even if the broker hangs."""
        if self._groups:
            await asyncio.wait(self._groups, timeout=STOP_DEADLINE_SECONDS)
        if not await kafka.closed(self._producer.stop(), STOP_DEADLINE_SECONDS):
            log.warning("kafka_close_abandoned", deadline_seconds=STOP_DEADLINE_SECONDS)

    async def reachable(self) -> bool:
        """Ask Kafka for its metadata; False also once aiokafka's sender has died, which only a restart cures."""
        sender_runs = not self._producer._sender.sender_task.done()  # noqa: SLF001 -- it has no public name
        return sender_runs and bool(await self._producer.client.force_metadata_update())

    async def publish(self, records: Sequence[Record]) -> None:
        """Return once all in-sync replicas have every record. Raises NotPublishedError; waits without a deadline."""
        if not records:
            return
        delivery = _Delivery(records, asyncio.get_running_loop().create_future())
        self._gathered.append(delivery)
        self._schedule()
        await delivery.done

    def _schedule(self) -> None:
        if self._gathered and not self._start_scheduled and len(self._groups) < GROUPS_IN_FLIGHT:
            self._start_scheduled = True
            # After the callbacks that are ready now, so that webhooks that came together travel together.
            asyncio.get_running_loop().call_soon(self._start_group)

    def _start_group(self) -> None:
        self._start_scheduled = False
        deliveries, self._gathered = self._gathered, []
        group = asyncio.create_task(self._send(deliveries))
        self._groups.add(group)
        group.add_done_callback(self._end_group)

    def _end_group(self, group: asyncio.Task[None]) -> None:
        self._groups.discard(group)
        self._schedule()

    async def _send(self, deliveries: list[_Delivery]) -> None:
        started = perf_counter()
        try:
            async with asyncio.timeout(self._timeout * GROUP_DEADLINE_FACTOR):
                batches = self._batches(deliveries)
                await asyncio.gather(*(self._send_batch(batch) for batch in batches))
        except Exception as error:  # noqa: BLE001 -- whatever went wrong, every webhook of the group must hear of it
            log.warning("publish_failed", error=type(error).__name__)
            _fail(deliveries)
        metrics.PUBLISH_LATENCY.observe(perf_counter() - started)

    def _batches(self, deliveries: list[_Delivery]) -> list[_Batch]:
        open_batches: dict[tuple[str, int], _Batch] = {}
        batches: list[_Batch] = []
        for delivery in deliveries:
            if delivery.done.done():  # its time was up while it waited here
                continue
            for record in delivery.records:
                topic = self._prefix + record.topic.suffix
                partitions = self._partitions[topic]
                if record.key is None:
                    partition = next(self._any_partition) % partitions
                else:
                    partition = partition_of(record.key, partitions)
                batch = open_batches.get((topic, partition))
                if batch is None or not batch.append(record, delivery):
                    batch = _Batch(topic, partition, self._producer.create_batch())
                    batch.append(record, delivery)
                    open_batches[topic, partition] = batch
                    batches.append(batch)
        return batches

    async def _send_batch(self, batch: _Batch) -> None:
        try:
            acknowledged = await self._producer.send_batch(batch.builder, batch.topic, partition=batch.partition)
            await acknowledged
        except Exception as error:  # noqa: BLE001 -- aiokafka raises more than KafkaError; one batch must not fail the others
            log.warning("batch_not_acknowledged", topic=batch.topic, records=batch.records, error=type(error).__name__)
            metrics.PUBLISH_FAILURES.inc()
            _fail(batch.deliveries)
            return
        metrics.RECORDS.labels(batch.topic.removeprefix(self._prefix)).inc(batch.records)
        for delivery in batch.deliveries:
            delivery.outstanding -= 1
            if delivery.outstanding == 0 and not delivery.done.done():
                delivery.done.set_result(None)


def _fail(deliveries: list[_Delivery]) -> None:
    for delivery in deliveries:
        if not delivery.done.done():
            delivery.done.set_exception(NotPublishedError())
