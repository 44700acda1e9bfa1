"""The loop: poll, fold, apply, commit. While PostgreSQL works on one batch the next is fetched and folded."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter, time
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from shared import kafka, postgres
from shared.topics import LARGE_MESSAGE_BYTES, RAW_STATUS
from status_service import metrics
from status_service.batch import Batch, fold
from status_service.decode import SECOND
from status_service.settings import StatusSettings
from status_service.store import Applied, Store

# How long a poll waits for records.
POLL_MS: Final = 200
# How long the broker may wait for records. Small, because light brokers answer at the end of it: 125 ms at 500.
FETCH_WAIT_MS: Final = 50
# A consumer that died is noticed after this; its partitions move to the others.
SESSION_TIMEOUT_MS: Final = 10_000
# A stop takes these three and the pool's two seconds at the worst: within the 15 s that platforms are asked for.
LAST_BATCH_DEADLINE_SECONDS: Final = 4.0
COMMIT_DEADLINE_SECONDS: Final = 4.0
STOP_DEADLINE_SECONDS: Final = 4.0
# Pauses between attempts at a batch grow from a deadlock's length to what an outage deserves.
SHORTEST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A folded batch, the offsets that are done with it, and the assignment it was read under."""

    batch: Batch
    records: int
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

    def __init__(self, settings: StatusSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._assignment = Assignment()
        self._position: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            **kafka.connection(settings),
            group_id=settings.consumer_group,
            enable_auto_commit=False,
            # Never `latest`: a new group, or one whose offsets expired, must not skip what was acknowledged to Meta.
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=LARGE_MESSAGE_BYTES,
            session_timeout_ms=SESSION_TIMEOUT_MS,
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
        """Ask Kafka for its topics; raises what aiokafka raises."""
        await self._consumer.topics()
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until stop is set; what was applied by then is committed."""
        stopping = asyncio.create_task(stop.wait())
        fetching = asyncio.create_task(self._fetch())
        try:
            while not stop.is_set():
                await asyncio.wait([fetching, stopping], return_when=asyncio.FIRST_COMPLETED)
                if not fetching.done():
                    break
                fetched = fetching.result()
                fetching = asyncio.create_task(self._fetch())
                if not fetched.records or fetched.assignment != self._assignment.number:
                    continue
                applying = asyncio.create_task(self._apply(fetched.batch))
                await asyncio.wait([applying, stopping], return_when=asyncio.FIRST_COMPLETED)
                if not applying.done():
                    await asyncio.wait([applying], timeout=LAST_BATCH_DEADLINE_SECONDS)
                if not applying.done():
                    applying.cancel()
                    break
                applying.result()
                await self._commit(fetched)
        finally:
            for task in (fetching, stopping):
                task.cancel()
            await asyncio.gather(fetching, stopping, return_exceptions=True)

    async def _fetch(self) -> Fetched:
        polled = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=self._settings.batch_size)
        # Only now: a poll may wait out a rebalance, and then gives what the new assignment fetched.
        assignment = self._assignment.number
        offsets = {partition: records[-1].offset + 1 for partition, records in polled.items() if records}
        batch = fold(record.value for records in polled.values() for record in records)
        self._position |= offsets
        metrics.LAG.set(sum(map(self._behind, self._consumer.assignment())))
        return Fetched(batch, sum(map(len, polled.values())), offsets, assignment)

    def _behind(self, partition: TopicPartition) -> int:
        """Compare with the high watermark of the last fetch: light brokers answer end_offsets() wrongly."""
        end: int | None = self._consumer.highwater(partition)
        position = self._position.get(partition)
        return 0 if end is None or position is None else max(0, end - position)

    async def _apply(self, batch: Batch) -> None:
        """Apply a batch, again and again while PostgreSQL is away or another session is in the way."""
        for value, number in batch.values.items():
            metrics.STATUSES.labels(value).inc(number)
        metrics.TIMESTAMPS_REPLACED.inc(batch.timestamps_replaced)
        if batch.undecodable:
            metrics.UNDECODABLE.inc(batch.undecodable)
            log.warning("undecodable_records", records=batch.undecodable)
        if not batch.evidence:
            return
        attempts = AsyncRetrying(
            retry=retry_if_exception(postgres.passes),
            wait=wait_random_exponential(multiplier=SHORTEST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            before_sleep=_note_retry,
        )
        started = perf_counter()
        applied: Applied = await attempts(self._store.apply, batch.evidence)
        metrics.APPLY_LATENCY.observe(perf_counter() - started)
        metrics.BATCH_SIZE.observe(sum(batch.values.values()))
        if batch.oldest_received_at is not None:
            metrics.STATUS_LATENCY.observe(max(0.0, time() - batch.oldest_received_at / SECOND))
        metrics.MESSAGES.labels("changed").inc(applied.changed)
        metrics.MESSAGES.labels("unchanged").inc(applied.unchanged)
        metrics.MESSAGES.labels("without_row").inc(applied.without_row)
        if applied.without_row:
            log.info("statuses_without_row", messages=applied.without_row)

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


def _note_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    reason = postgres.reason(error) if error else "unknown"
    metrics.APPLY_RETRIES.labels(reason).inc()
    log.warning("batch_repeated", reason=reason, attempt=state.attempt_number)
