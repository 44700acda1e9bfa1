"""A part of a topic, read once from some time to its present end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared import kafka
from shared.kafka import KafkaUnavailableError
from shared.settings import ServiceSettings
from shared.topics import LARGE_MESSAGE_BYTES, Topic

# A broker that gives nothing for so long is away.
ANSWER_DEADLINE_SECONDS: Final = 30.0
POLL_MS: Final = 200
FETCH_WAIT_MS: Final = 50
CLOSE_DEADLINE_SECONDS: Final = 4.0


class TopicRange:
    """The records of a topic between two times, up to the end it has when it is first read."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        since: datetime | None,
        until: datetime | None,
    ) -> None:
        self._consumer = consumer
        # Kafka was never asked for a time before 1970, and refuses to be.
        self._since_ms = None if since is None else max(0, int(since.timestamp() * 1000))
        self._until_ms = None if until is None else int(until.timestamp() * 1000)
        self._starts = dict.fromkeys(partitions, 0)
        self._ends: dict[TopicPartition, int] = {}
        self._positions = dict.fromkeys(partitions, 0)

    async def start(self, *, continued: bool) -> None:
        """Go to where reading begins: the time, else what the consumer's group has committed, else the beginning."""
        partitions = list(self._starts)
        starts: dict[TopicPartition, int | None] = dict(await self._consumer.beginning_offsets(partitions))
        if self._since_ms is not None:
            found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, self._since_ms))
            ends = await self._consumer.end_offsets(partitions)
            starts = {place: ends[place] if at is None else at.offset for place, at in found.items()}
        elif continued:
            for place in partitions:
                # Retention may have taken what was committed; a partition that it emptied has nothing to go on from.
                starts[place] = max(await self._consumer.committed(place) or 0, starts[place] or 0)
        self._starts = {place: start or 0 for place, start in starts.items()}
        self._positions = dict(self._starts)
        for place, start in self._starts.items():
            self._consumer.seek(place, start)

    @property
    def total(self) -> int:
        """How many records there are to read, as far as that is known."""
        return sum(max(0, end - self._starts[place]) for place, end in self._ends.items())

    @property
    def read(self) -> int:
        return sum(self._positions[place] - start for place, start in self._starts.items())

    async def batches(self, records_at_once: int) -> AsyncIterator[list[ConsumerRecord]]:
        """Give the records that are in the range, a poll's at once. Raises KafkaUnavailableError."""
        loop = asyncio.get_running_loop()
        answered = loop.time()
        while not self._complete():
            polled: dict[TopicPartition, list[ConsumerRecord]] = await self._consumer.getmany(
                timeout_ms=POLL_MS, max_records=records_at_once
            )
            for place in self._starts:
                # Light brokers answer end_offsets() wrongly; what came with a fetch is right.
                end = self._consumer.highwater(place)
                if end is not None:
                    self._ends.setdefault(place, end)
            for place, records in polled.items():
                self._positions[place] = min(records[-1].offset + 1, self._ends.get(place, records[-1].offset + 1))
            if not polled and loop.time() - answered > ANSWER_DEADLINE_SECONDS:
                raise KafkaUnavailableError(f"Kafka gave nothing for {ANSWER_DEADLINE_SECONDS:.0f} s")
            yield [record for records in polled.values() for record in records if self._contains(record)]
            if polled:
                # However long that took, it was not Kafka that was waited for.
                answered = loop.time()

    async def commit(self) -> None:
        """Keep how far the reading is in the consumer's group. Raises KafkaUnavailableError."""
        read = {place: at for place, at in self._positions.items() if at > self._starts[place]}
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_SECONDS):
                await self._consumer.commit(read)
        except TimeoutError:
            raise KafkaUnavailableError(f"Kafka committed nothing for {ANSWER_DEADLINE_SECONDS:.0f} s") from None

    def _contains(self, record: ConsumerRecord) -> bool:
        place = TopicPartition(record.topic, record.partition)
        return (
            record.offset < self._ends.get(place, record.offset + 1)
            and (self._since_ms is None or record.timestamp >= self._since_ms)
            and (self._until_ms is None or record.timestamp < self._until_ms)
        )

    def _complete(self) -> bool:
        return self._ends.keys() == self._starts.keys() and all(
            self._positions[place] >= end for place, end in self._ends.items()
        )


@contextlib.asynccontextmanager
async def opened(
    settings: ServiceSettings,
    topic: Topic,
    since: datetime | None = None,
    until: datetime | None = None,
    group: str | None = None,
) -> AsyncIterator[TopicRange]:
    """Open a part of a topic; with a group it begins where the group left off. Raises KafkaUnavailableError."""
    arguments: dict[str, Any] = {} if group is None else {"group_id": group}
    consumer = AIOKafkaConsumer(
        **kafka.connection(settings),
        **arguments,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=LARGE_MESSAGE_BYTES,
    )
    try:
        await kafka.connect(consumer.start, settings)
        name = topic.name(settings.topic_prefix)
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_SECONDS):
                numbers = await consumer._client._wait_on_metadata(name)  # noqa: SLF001 -- partitions_for_topic() does not wait
                partitions = [TopicPartition(name, number) for number in sorted(numbers)]
                consumer.assign(partitions)
                part = TopicRange(consumer, partitions, since, until)
                await part.start(continued=group is not None)
        except TimeoutError:
            raise KafkaUnavailableError("Kafka does not answer") from None
        yield part
    finally:
        await kafka.closed(consumer.stop(), CLOSE_DEADLINE_SECONDS)
