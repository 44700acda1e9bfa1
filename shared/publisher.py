"""Publishes records in shared batches: what gathers while two groups are under way goes out as the next one.

There is no timer. An idle service publishes at once, a busy one in batches as large as the broker is slow. Whoever
publishes waits for its own batches only, and is dropped before it is handed over if it waits no more.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from prometheus_client import Counter, Histogram

from shared import kafka
from shared.partition import partition_of
from shared.records import Record
from shared.settings import ServiceSettings
from shared.topics import MEBIBYTE, Topic

# Two: while Kafka writes one group the next is already on its way; with more, batches only get smaller.
GROUPS_IN_FLIGHT: Final = 2
# One record batch; below every topic's max.message.bytes. A record larger than this travels alone.
BATCH_BYTES: Final = MEBIBYTE // 2
# aiokafka gives a batch up after its time to live and one more request of the same length, so no group outlives this.
GROUP_DEADLINE_FACTOR: Final = 3
# Stopping: what is under way is acknowledged within the publish timeout, or nobody waits for it any more.
STOP_DEADLINE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


# What Kafka answers to a record that it will never take, however often it comes.
REFUSALS: Final = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTimestampError, PolicyViolationError)


class Refusal(NamedTuple):
    """A record that Kafka refused for good, and the name of its error."""

    record: Record
    error: str


class NotPublishedError(Exception):
    """Kafka did not acknowledge a record; it must be sent again."""


class RefusedError(NotPublishedError):
    """Kafka refused records for good, and has all the others."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(f"{len(refusals)} records refused: {refusals[0].error}")
        self.refusals = refusals


@dataclass(frozen=True, slots=True)
class PublisherMetrics:
    """A service's own metrics; the records' label is the topic without its prefix."""

    records: Counter
    latency: Histogram
    failures: Counter


class _Delivery:
    """What one caller publishes and the future it waits on."""

    __slots__ = ("done", "outstanding", "records", "refusals")

    def __init__(self, records: Sequence[Record], done: asyncio.Future[None]) -> None:
        self.records = records
        self.done = done
        self.outstanding = 0
        self.refusals: list[Refusal] = []

    def settle(self) -> None:
        """Note that one of its batches is through."""
        self.outstanding -= 1
        if self.outstanding == 0 and not self.done.done():
            if self.refusals:
                self.done.set_exception(RefusedError(self.refusals))
            else:
                self.done.set_result(None)


class _Batch:
    """One record batch for one partition, and whose records are in it."""

    __slots__ = ("builder", "deliveries", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int, builder: BatchBuilder) -> None:
        self.topic = topic
        self.partition = partition
        self.builder = builder
        self.deliveries: list[_Delivery] = []
        self.records: list[tuple[Record, _Delivery]] = []

    def append(self, record: Record, delivery: _Delivery) -> bool:
        """Add a record if there is room; the first one always fits."""
        if (
            self.builder.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
            is None
        ):
            return False
        self.records.append((record, delivery))
        if not self.deliveries or self.deliveries[-1] is not delivery:
            self.deliveries.append(delivery)
            delivery.outstanding += 1
        return True


class Publisher:
    """Hands records to Kafka with acks=all."""

    def __init__(
        self, settings: ServiceSettings, topics: Iterable[Topic], publish_timeout: float, metrics: PublisherMetrics
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._timeout = publish_timeout
        self._metrics = metrics
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
        names = [topic.name(self._prefix) for topic in self._topics]
        try:
            async with asyncio.timeout(kafka.CONNECT_DEADLINE_SECONDS):
                self._partitions = {name: len(await self._producer.partitions_for(name)) for name in names}
        except (KafkaError, TimeoutError):
            await kafka.closed(self._producer.stop(), STOP_DEADLINE_SECONDS)
            raise kafka.KafkaUnavailableError("Kafka does not tell the partitions of the topics") from None

    async def stop(self) -> None:
        """Wait for what is under way, then leave; at most twice STOP_DEADLINE_SECONDS even if the broker hangs."""
        if self._groups:
            await asyncio.wait(self._groups, timeout=STOP_DEADLINE_SECONDS)
        if not await kafka.closed(self._producer.stop(), STOP_DEADLINE_SECONDS):
            log.warning("kafka_close_abandoned", deadline_seconds=STOP_DEADLINE_SECONDS)

    async def reachable(self) -> bool:
        """Ask Kafka; False also once aiokafka's sender has died, which only a restart cures."""
        sender_runs = not self._producer._sender.sender_task.done()  # noqa: SLF001 -- it has no public name
        return sender_runs and await kafka.any_answers(self._producer.client)

    async def publish(self, records: Sequence[Record]) -> None:
        """Return once all in-sync replicas have every record; waits without a deadline.

        Raises RefusedError if some will never be taken and the others are there, else NotPublishedError.
        """
        if not records:
            return
        delivery = _Delivery(records, asyncio.get_running_loop().create_future())
        self._gathered.append(delivery)
        self._schedule()
        await delivery.done

    def _schedule(self) -> None:
        if self._gathered and not self._start_scheduled and len(self._groups) < GROUPS_IN_FLIGHT:
            self._start_scheduled = True
            # After the callbacks that are ready now, so that what came together travels together.
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
        except Exception as error:  # noqa: BLE001 -- whatever went wrong, everyone in the group must hear of it
            log.warning("publish_failed", error=type(error).__name__)
            _fail(deliveries)
        self._metrics.latency.observe(perf_counter() - started)

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
        except REFUSALS as error:
            await self._isolate(batch, type(error).__name__)
        except Exception as error:  # noqa: BLE001 -- aiokafka raises more than KafkaError; one batch must not fail the others
            log.warning(
                "batch_not_acknowledged", topic=batch.topic, records=len(batch.records), error=type(error).__name__
            )
            self._metrics.failures.inc()
            _fail(batch.deliveries)
        else:
            self._metrics.records.labels(batch.topic.removeprefix(self._prefix)).inc(len(batch.records))
            for delivery in batch.deliveries:
                delivery.settle()

    async def _isolate(self, batch: _Batch, error: str) -> None:
        """Send the halves of a refused batch, and theirs, until each refused record is alone."""
        if len(batch.records) == 1:
            ((record, delivery),) = batch.records
            log.warning("record_refused", topic=batch.topic, bytes=len(record.value), error=error)
            self._metrics.failures.inc()
            delivery.refusals.append(Refusal(record, error))
        else:
            middle = len(batch.records) // 2
            for part in (batch.records[:middle], batch.records[middle:]):
                half = _Batch(batch.topic, batch.partition, self._producer.create_batch())
                for record, delivery in part:
                    half.append(record, delivery)
                await self._send_batch(half)
        for delivery in batch.deliveries:
            delivery.settle()


def _fail(deliveries: list[_Delivery]) -> None:
    for delivery in deliveries:
        if not delivery.done.done():
            delivery.done.set_exception(NotPublishedError("Kafka did not acknowledge"))
