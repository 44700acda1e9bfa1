"""Publishes records in shared batches: what gathers for a partition while its last batch is under way is its next one.

There is no timer. An idle service publishes at once, a busy one in batches as large as the broker is slow. Whoever
publishes waits for its own batches only, and is dropped before it is handed over if it waits no more. A partition
without a leader holds up its own records only.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
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

# One record batch; below every topic's max.message.bytes. A record larger than this travels alone.
BATCH_BYTES: Final = MEBIBYTE // 2
# aiokafka gives a batch up after its time to live and one more request of the same length, so none outlives this.
BATCH_DEADLINE_FACTOR: Final = 3
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
    """What one caller publishes, and the future it waits on."""

    __slots__ = ("_outstanding", "_refusals", "done")

    def __init__(self, records: int, done: asyncio.Future[None]) -> None:
        self._outstanding = records
        self._refusals: list[Refusal] = []
        self.done = done

    def settle(self, refusal: Refusal | None = None) -> None:
        """Note that one of its records is there, or never will be."""
        self._outstanding -= 1
        if refusal is not None:
            self._refusals.append(refusal)
        if self._outstanding == 0 and not self.done.done():
            if self._refusals:
                self.done.set_exception(RefusedError(self._refusals))
            else:
                self.done.set_result(None)

    def fail(self) -> None:
        """Note that one of its records may not be there."""
        if not self.done.done():
            self.done.set_exception(NotPublishedError("Kafka did not acknowledge"))


# A record and who waits for it.
_Entry = tuple[Record, _Delivery]


class _Lane:
    """One partition, and what has gathered for it."""

    __slots__ = ("acknowledged", "busy", "gathered", "partition", "topic")

    def __init__(self, topic: str, partition: int, acknowledged: Counter) -> None:
        self.topic = topic
        self.partition = partition
        self.acknowledged = acknowledged
        self.gathered: list[_Entry] = []
        self.busy = False


class Publisher:
    """Hands records to Kafka with acks=all."""

    def __init__(
        self, settings: ServiceSettings, topics: Iterable[Topic], publish_timeout: float, metrics: PublisherMetrics
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._timeout = publish_timeout
        self._metrics = metrics
        # The partitions of a topic, by its name without the prefix.
        self._lanes: dict[str, list[_Lane]] = {}
        self._working: set[asyncio.Task[None]] = set()
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
        names = [topic.name(self._settings.topic_prefix) for topic in self._topics]
        try:
            async with asyncio.timeout(kafka.CONNECT_DEADLINE_SECONDS):
                self._open({name: len(await self._producer.partitions_for(name)) for name in names})
        except (KafkaError, TimeoutError):
            await kafka.closed(self._producer.stop(), STOP_DEADLINE_SECONDS)
            raise kafka.KafkaUnavailableError("Kafka does not tell the partitions of the topics") from None

    def _open(self, partitions: Mapping[str, int]) -> None:
        """Make the lanes of topics with so many partitions."""
        for topic, number in partitions.items():
            suffix = topic.removeprefix(self._settings.topic_prefix)
            acknowledged = self._metrics.records.labels(suffix)
            self._lanes[suffix] = [_Lane(topic, partition, acknowledged) for partition in range(number)]

    async def stop(self) -> None:
        """Wait for what is under way, then leave; at most twice STOP_DEADLINE_SECONDS even if the broker hangs."""
        if self._working:
            await asyncio.wait(self._working, timeout=STOP_DEADLINE_SECONDS)
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
        delivery = _Delivery(len(records), asyncio.get_running_loop().create_future())
        for record in records:
            lane = self._lane(record)
            lane.gathered.append((record, delivery))
            if not lane.busy:
                self._set_to_work(lane)
        await delivery.done

    def _lane(self, record: Record) -> _Lane:
        lanes = self._lanes[record.topic.suffix]
        if record.key is None:
            return lanes[next(self._any_partition) % len(lanes)]
        return lanes[partition_of(record.key, len(lanes))]

    def _set_to_work(self, lane: _Lane) -> None:
        # The task begins after the callbacks that are ready now, so what came together travels together.
        lane.busy = True
        task = asyncio.create_task(self._work(lane))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _work(self, lane: _Lane) -> None:
        """Send what has gathered for a partition, until nothing has."""
        try:
            while lane.gathered:
                entries, lane.gathered = lane.gathered, []
                await self._send_all(lane, entries)
        finally:
            lane.busy = False

    async def _send_all(self, lane: _Lane, entries: list[_Entry]) -> None:
        """Send entries, batch after batch."""
        taken: list[_Entry] = []
        try:
            while entries:
                builder, taken, entries = self._batch(entries)
                if taken:
                    await self._send(lane, builder, taken)
        except Exception as error:  # noqa: BLE001 -- whatever went wrong, everyone must hear of it, and the lane goes on
            log.warning("publish_failed", topic=lane.topic, error=type(error).__name__)
            _fail([*taken, *entries])

    def _batch(self, entries: list[_Entry]) -> tuple[BatchBuilder, list[_Entry], list[_Entry]]:
        """Fill a batch: give it, what is in it, and what had no room. The first record always has."""
        builder = self._producer.create_batch()
        taken: list[_Entry] = []
        for position, entry in enumerate(entries):
            record, delivery = entry
            if delivery.done.done():  # its time was up while it waited here
                continue
            added = builder.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
            if added is None:
                return builder, taken, entries[position:]
            taken.append(entry)
        return builder, taken, []

    async def _send(self, lane: _Lane, builder: BatchBuilder, entries: list[_Entry]) -> None:
        started = perf_counter()
        try:
            async with asyncio.timeout(self._timeout * BATCH_DEADLINE_FACTOR):
                acknowledged = await self._producer.send_batch(builder, lane.topic, partition=lane.partition)
                await acknowledged
        except REFUSALS as error:
            await self._isolate(lane, entries, type(error).__name__)
        except Exception as error:  # noqa: BLE001 -- aiokafka raises more than KafkaError; the lane goes on
            log.warning("batch_not_acknowledged", topic=lane.topic, records=len(entries), error=type(error).__name__)
            self._metrics.failures.inc()
            _fail(entries)
        else:
            lane.acknowledged.inc(len(entries))
            for _, delivery in entries:
                delivery.settle()
        self._metrics.latency.observe(perf_counter() - started)

    async def _isolate(self, lane: _Lane, entries: list[_Entry], error: str) -> None:
        """Send the halves of a refused batch, and theirs, until each refused record is alone."""
        if len(entries) == 1:
            ((record, delivery),) = entries
            log.warning("record_refused", topic=lane.topic, bytes=len(record.value), error=error)
            self._metrics.failures.inc()
            delivery.settle(Refusal(record, error))
        else:
            middle = len(entries) // 2
            for half in (entries[:middle], entries[middle:]):
                builder, taken, _ = self._batch(half)
                if taken:
                    await self._send(lane, builder, taken)


def _fail(entries: list[_Entry]) -> None:
    for _, delivery in entries:
        delivery.fail()
