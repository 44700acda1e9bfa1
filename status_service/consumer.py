"""The loop: poll, fold, apply, publish, commit.

Batches overlap: while PostgreSQL merges one, the one before is published and the next is fetched and folded. Offsets
are committed in the order of the batches, so that one is never committed before what is in front of it is through.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter, time
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from shared import kafka
from shared.topics import MEBIBYTE, RAW_STATUS
from status_service import metrics
from status_service.applier import Applier, Outcome
from status_service.batch import Batch, fold
from status_service.dead_letters import Brake, DeadLetters
from status_service.decode import SECOND, UndecodableError, decode
from status_service.outbox import until_published
from status_service.settings import StatusSettings

# How long a poll waits for records.
POLL_MS: Final = 200
# The same while batches are merged: their partitions have their turn afterwards.
SHORT_POLL_MS: Final = 20
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
# PostgreSQL has work while Python decodes and publishes.
BATCHES_AT_ONCE: Final = 4
# A stop takes the last batches with their commits, leaving the group, and what the listener (1 s), app.py (2 s), the
# publisher (4 s) and the database (2 s) take: 14 s at the worst, within the 15 s that platforms are asked for.
LAST_BATCHES_DEADLINE_SECONDS: Final = 2.0
COMMIT_DEADLINE_SECONDS: Final = 3.0
STOP_DEADLINE_SECONDS: Final = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A folded batch and its records, the offsets that are done with it, and the assignment it was read under."""

    batch: Batch
    records: Sequence[ConsumerRecord]
    offsets: Mapping[TopicPartition, int]
    assignment: int


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Counts rebalances: offsets of an earlier assignment may be another consumer's to commit by now."""

    def __init__(self) -> None:
        self.number = 0

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002 -- aiokafka's signature
        self.number += 1

    async def on_partitions_assigned(self, assigned: Any) -> None:
        log.info("partitions_assigned", partitions=len(assigned))


class StatusConsumer:
    """Applies the statuses of `raw.status` until told to stop."""

    def __init__(
        self,
        settings: StatusSettings,
        applier: Applier,
        dead_letters: DeadLetters,
        brake: Brake,
    ) -> None:
        self._settings = settings
        self._applier = applier
        self._dead_letters = dead_letters
        self._brake = brake
        self._assignment = Assignment()
        self._position: dict[TopicPartition, int] = {}
        # Partitions of the batches that PostgreSQL has not committed yet. The next batch is of others: a message is
        # always on the same one, so that batches of ours never meet in a row and wait for its lock.
        self._merging: set[TopicPartition] = set()
        self._merged = asyncio.Event()
        self._consumer = AIOKafkaConsumer(
            **kafka.connection(settings),
            group_id=settings.consumer_group,
            enable_auto_commit=False,
            # Never `latest`: a new group, or one whose offsets expired, must not skip what was acknowledged to Meta.
            auto_offset_reset="earliest",
            **FETCHING,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            max_poll_interval_ms=LONGEST_BATCH_MS,
        )

    async def start(self) -> None:
        """Join the consumer group. Raises KafkaUnavailableError."""
        self._consumer.subscribe([RAW_STATUS.name(self._settings.topic_prefix)], listener=self._assignment)
        await kafka.connect(self._consumer.start, self._settings)

    async def stop(self) -> None:
        """Leave the consumer group, within STOP_DEADLINE_SECONDS also if the broker hangs."""
        if not await kafka.closed(self._consumer.stop(), STOP_DEADLINE_SECONDS):
            log.warning("kafka_close_abandoned", deadline_seconds=STOP_DEADLINE_SECONDS)

    async def reachable(self) -> bool:
        return await kafka.any_answers(self._consumer._client)  # noqa: SLF001 -- it has no public name

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until stop is set; what was applied by then is committed. Raises KafkaUnavailableError."""
        stopping = asyncio.create_task(stop.wait())
        fetching = asyncio.create_task(self._fetch())
        under_way: deque[asyncio.Task[None]] = deque()
        try:
            while not stop.is_set():
                awaited = [under_way[0]] if len(under_way) == BATCHES_AT_ONCE else [fetching, *under_way]
                await asyncio.wait([stopping, *awaited], return_when=asyncio.FIRST_COMPLETED)
                while under_way and under_way[0].done():
                    under_way.popleft().result()
                if len(under_way) < BATCHES_AT_ONCE and fetching.done():
                    fetched = fetching.result()
                    if fetched.records and fetched.assignment == self._assignment.number:
                        under_way.append(self._begin(fetched, under_way[-1] if under_way else None))
                    fetching = asyncio.create_task(self._fetch())
            if under_way:
                done, _ = await asyncio.wait(under_way, timeout=LAST_BATCHES_DEADLINE_SECONDS)
                for task in done:
                    task.result()
        finally:
            unfinished = [fetching, stopping, *under_way]
            for one in unfinished:
                one.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    def _begin(self, fetched: Fetched, previous: asyncio.Task[None] | None) -> asyncio.Task[None]:
        self._merging |= fetched.offsets.keys()
        return asyncio.create_task(self._process_and_commit(fetched, previous))

    async def _fetch(self) -> Fetched:
        """Poll once, and wait where a broker has to recover.

        Raises KafkaError for what does not pass by itself, and KafkaUnavailableError once aiokafka has died.
        """
        while self._merging and self._merging >= self._consumer.assignment():
            self._merged.clear()
            await self._merged.wait()
        free = self._consumer.assignment() - self._merging
        poll_ms = SHORT_POLL_MS if self._merging else POLL_MS
        try:
            polled = await self._consumer.getmany(*free, timeout_ms=poll_ms, max_records=self._settings.batch_size)
        except KafkaError as error:
            if isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError):
                raise
            log.warning("poll_failed", error=type(error).__name__)
            await asyncio.sleep(POLL_FAILURE_PAUSE_SECONDS)
            polled = {}
        if self._died():
            raise kafka.KafkaUnavailableError("aiokafka has died of an error of its own, and only a restart cures that")
        # Only now: a poll may wait out a rebalance, and then gives what the new assignment fetched.
        assignment = self._assignment.number
        offsets = {partition: records[-1].offset + 1 for partition, records in polled.items() if records}
        records = [record for found in polled.values() for record in found]
        batch = fold(record.value for record in records)
        self._position |= offsets
        metrics.LAG.set(sum(map(self._behind, self._consumer.assignment())))
        return Fetched(batch, records, offsets, assignment)

    def _died(self) -> bool:
        """Tell whether a task of aiokafka's has ended: polls would fail, or give nothing, for ever."""
        client = self._consumer
        tasks = (client._coordinator._coordination_task, client._fetcher.error_future)  # noqa: SLF001 -- no public names
        return any(task.done() for task in tasks)

    def _behind(self, partition: TopicPartition) -> int:
        """Compare with the high watermark of the last fetch: light brokers answer end_offsets() wrongly."""
        end: int | None = self._consumer.highwater(partition)
        position = self._position.get(partition)
        return 0 if end is None or position is None else max(0, end - position)

    async def _process_and_commit(self, fetched: Fetched, previous: asyncio.Task[None] | None) -> None:
        """Apply and publish a batch, and when the previous one is through, commit its offsets.

        Raises TooManyDeadLettersError; PostgresError for what does not pass by itself.
        """
        outcome = await self._apply(fetched.batch)
        self._merging -= fetched.offsets.keys()
        self._merged.set()
        await self._applier.publish(outcome)
        if previous is not None:
            await asyncio.wait([previous])
            previous.result()
        await self._publish_dead_letters(fetched, outcome.refused)
        await self._commit(fetched)

    async def _apply(self, batch: Batch) -> Outcome:
        for value, number in batch.values.items():
            metrics.STATUSES.labels(value).inc(number)
        metrics.TIMESTAMPS_REPLACED.inc(batch.timestamps_replaced)
        if not batch.told.evidence:
            return Outcome()
        started = perf_counter()
        outcome = await self._applier.apply(batch.told)
        metrics.APPLY_LATENCY.observe(perf_counter() - started)
        metrics.BATCH_SIZE.observe(sum(batch.values.values()))
        if batch.oldest_received_at is not None:
            metrics.STATUS_LATENCY.observe(max(0.0, time() - batch.oldest_received_at / SECOND))
        for applied in outcome.applied:
            metrics.MESSAGES.labels("changed").inc(len(applied.written))
            metrics.MESSAGES.labels("unchanged").inc(applied.unchanged)
            metrics.MESSAGES.labels("without_row").inc(applied.without_row)
            metrics.MESSAGES.labels("locked").inc(applied.locked)
        return outcome

    async def _publish_dead_letters(self, fetched: Fetched, refused: Mapping[str, str]) -> None:
        """Publish the records that are no statuses or that PostgreSQL refuses. Raises TooManyDeadLettersError."""
        bad = [(position, "undecodable", why) for position, why in fetched.batch.undecodable]
        if refused:
            bad += _positions(fetched.records, refused)
        bad.sort()
        self._brake.check(len(fetched.records), [position for position, _, _ in bad])
        if bad:
            letters = [(fetched.records[position], reason, detail) for position, reason, detail in bad]
            await until_published(self._dead_letters.publish, letters)

    async def _commit(self, fetched: Fetched) -> None:
        """Commit the offsets; where that fails the statuses are read again, and change nothing."""
        if fetched.assignment != self._assignment.number:
            return
        try:
            async with asyncio.timeout(COMMIT_DEADLINE_SECONDS):
                await self._consumer.commit(fetched.offsets)
        except (KafkaError, TimeoutError) as error:
            metrics.COMMIT_FAILURES.inc()
            log.warning("offsets_not_committed", error=type(error).__name__)


def _positions(records: Sequence[ConsumerRecord], refused: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """Give the records that say something of these messages, with the reason of the refusal."""
    found = []
    for position, record in enumerate(records):
        with contextlib.suppress(UndecodableError):
            sqlstate = refused.get(decode(record.value).message_id)
            if sqlstate is not None:
                found.append((position, f"sqlstate_{sqlstate}", "PostgreSQL refuses what the status says"))
    return found
