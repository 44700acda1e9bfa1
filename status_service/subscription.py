"""Membership in a consumer group: what a consumer polls, and commits when it is through."""

import asyncio
from collections.abc import Mapping, Sequence
from time import time
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from shared import kafka
from shared.topics import MEBIBYTE, Topic
from status_service import metrics
from status_service.settings import StatusSettings

# After a poll that failed; brokers elect their leaders meanwhile.
POLL_FAILURE_PAUSE_SECONDS: Final = 0.5
# How long the broker may wait for records. Small, because light brokers answer at the end of it: 125 ms at 500.
FETCH_WAIT_MS: Final = 50
# What is fetched at once, ahead of the merge: two batches. With 8 and 50 MiB a backlog is read no faster, and the
# process is 100 MiB larger and grows (`python -m tests.bench run growth`). A record larger than this still comes.
FETCHING: Final = {
    "fetch_max_wait_ms": FETCH_WAIT_MS,
    "max_partition_fetch_bytes": 2 * MEBIBYTE,
    "fetch_max_bytes": 8 * MEBIBYTE,
}
# A consumer that died is noticed after this; its partitions move to the others.
SESSION_TIMEOUT_MS: Final = 10_000
# A broker that hangs is given up after this, and what it had to do is asked of its successor. Joining a group can take
# the session timeout, while the others are waited for.
REQUEST_TIMEOUT_MS: Final = SESSION_TIMEOUT_MS + 5_000
# An outage of PostgreSQL may last, and nobody in the group could do better meanwhile. That a consumer lives shows in
# its heartbeats, and every wait here has a deadline of its own. With less, aiokafka leaves the group and joins it in
# turn (aiokafka #848).
LONGEST_BATCH_MS: Final = 24 * 60 * 60 * 1000
COMMIT_DEADLINE_SECONDS: Final = 3.0
STOP_DEADLINE_SECONDS: Final = 3.0

log = structlog.get_logger(__name__)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Counts rebalances: offsets of an earlier assignment may be another consumer's to commit by now."""

    def __init__(self, group: str) -> None:
        self.number = 0
        self._group = group

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002 -- aiokafka's signature
        self.number += 1

    async def on_partitions_assigned(self, assigned: Any) -> None:
        log.info("partitions_assigned", group=self._group, partitions=len(assigned))


class Subscription:
    """This process's part of some topics, in a consumer group."""

    def __init__(self, settings: StatusSettings, group: str, topics: Sequence[Topic]) -> None:
        self._settings = settings
        self._topics = {topic.name(settings.topic_prefix): topic for topic in topics}
        self._assignment = Assignment(group)
        self._position: dict[TopicPartition, int] = {}
        # When the newest record that was read was published, of partitions that have more.
        self._newest: dict[TopicPartition, float] = {}
        self._consumer = AIOKafkaConsumer(
            **kafka.connection(settings),
            group_id=group,
            enable_auto_commit=False,
            # Never `latest`: a new group, or one whose offsets expired, must not skip what was acknowledged to Meta.
            auto_offset_reset="earliest",
            **FETCHING,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            max_poll_interval_ms=LONGEST_BATCH_MS,
        )

    @property
    def assignment(self) -> int:
        """The number of this process's assignment; a rebalance gives it another one."""
        return self._assignment.number

    def assigned(self) -> frozenset[TopicPartition]:
        return frozenset(self._consumer.assignment())

    async def start(self) -> None:
        """Join the consumer group. Raises KafkaUnavailableError."""
        self._consumer.subscribe([*self._topics], listener=self._assignment)
        await kafka.connect(self._consumer.start, self._settings)

    async def stop(self) -> None:
        """Leave the consumer group, within STOP_DEADLINE_SECONDS also if the broker hangs."""
        if not await kafka.closed(self._consumer.stop(), STOP_DEADLINE_SECONDS):
            log.warning("kafka_close_abandoned", deadline_seconds=STOP_DEADLINE_SECONDS)

    async def reachable(self) -> bool:
        return await kafka.any_answers(self._consumer._client)  # noqa: SLF001 -- it has no public name

    async def poll(
        self, partitions: frozenset[TopicPartition], wait_ms: int, most: int
    ) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """Give what these partitions have, or nothing where a broker has to recover; of none given, of all.

        Raises KafkaError for what does not pass by itself, and KafkaUnavailableError once aiokafka has died.
        """
        try:
            polled = await self._consumer.getmany(*partitions, timeout_ms=wait_ms, max_records=most)
        except KafkaError as error:
            if isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError):
                raise
            log.warning("poll_failed", error=type(error).__name__)
            await asyncio.sleep(POLL_FAILURE_PAUSE_SECONDS)
            polled = {}
        if self._died():
            raise kafka.KafkaUnavailableError("aiokafka has died of an error of its own, and only a restart cures that")
        self._position |= offsets_after(polled)
        self._measure(polled)
        return {partition: records for partition, records in polled.items() if records}

    async def commit(self, offsets: Mapping[TopicPartition, int], assignment: int) -> None:
        """Commit the offsets that were read under an assignment; where that fails the records are read again."""
        if assignment != self._assignment.number:
            return
        try:
            async with asyncio.timeout(COMMIT_DEADLINE_SECONDS):
                await self._consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            metrics.COMMIT_FAILURES.inc()
            log.warning("offsets_not_committed", error=type(error).__name__)

    def _died(self) -> bool:
        """Tell whether a task of aiokafka's has ended: polls would fail, or give nothing, for ever."""
        client = self._consumer
        tasks = (client._coordinator._coordination_task, client._fetcher.error_future)  # noqa: SLF001 -- no public names
        return any(task.done() for task in tasks)

    def _measure(self, polled: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        lag = dict.fromkeys(self._topics, 0)
        for partition in self._consumer.assignment():
            behind = self._behind(partition)
            lag[partition.topic] += behind
            if not behind:
                self._newest.pop(partition, None)
            elif records := polled.get(partition):
                self._newest[partition] = records[-1].timestamp / 1000
        now = time()
        for name, number in lag.items():
            topic = self._topics[name].suffix
            metrics.LAG.labels(topic).set(number)
            ages = [now - newest for partition, newest in self._newest.items() if partition.topic == name]
            metrics.LAG_SECONDS.labels(topic).set(max(ages, default=0))

    def _behind(self, partition: TopicPartition) -> int:
        """Compare with the high watermark of the last fetch: light brokers answer end_offsets() wrongly."""
        end: int | None = self._consumer.highwater(partition)
        position = self._position.get(partition)
        return 0 if end is None or position is None else max(0, end - position)


def offsets_after(polled: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> dict[TopicPartition, int]:
    """Give the offsets to commit when these records are through."""
    return {partition: records[-1].offset + 1 for partition, records in polled.items() if records}
