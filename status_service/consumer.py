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
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition

from status_service import metrics
from status_service.applier import Applier, Outcome
from status_service.batch import Batch, fold
from status_service.dead_letters import Brake, DeadLetters
from status_service.decode import SECOND, UndecodableError, decode
from status_service.outbox import until_published
from status_service.subscription import Subscription, offsets_after

# How long a poll waits for records.
POLL_MS: Final = 200
# The same while batches are merged: their partitions have their turn afterwards.
SHORT_POLL_MS: Final = 20
# PostgreSQL has work while Python decodes and publishes.
BATCHES_AT_ONCE: Final = 4
# A stop takes the last batches with their commits, leaving the group, and what the listener (1 s), app.py (2 s), the
# publisher (4 s) and the database (2 s) take: 14 s at the worst, within the 15 s that platforms are asked for.
LAST_BATCHES_DEADLINE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A folded batch and its records, the offsets that are done with it, and the assignment it was read under."""

    batch: Batch
    records: Sequence[ConsumerRecord]
    offsets: Mapping[TopicPartition, int]
    assignment: int


class StatusConsumer:
    """Applies statuses until told to stop."""

    def __init__(
        self,
        subscription: Subscription,
        batch_size: int,
        applier: Applier,
        dead_letters: DeadLetters,
        brake: Brake,
    ) -> None:
        self._subscription = subscription
        self._batch_size = batch_size
        self._applier = applier
        self._dead_letters = dead_letters
        self._brake = brake
        # Partitions of the batches that PostgreSQL has not committed yet. The next batch is of others: a message is
        # always on the same one, so that batches of ours never meet in a row and wait for its lock.
        self._merging: set[TopicPartition] = set()
        self._merged = asyncio.Event()

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
                    if fetched.records and fetched.assignment == self._subscription.assignment:
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
        while self._merging and self._merging >= self._subscription.assigned():
            self._merged.clear()
            await self._merged.wait()
        free = self._subscription.assigned() - self._merging
        polled = await self._subscription.poll(free, SHORT_POLL_MS if self._merging else POLL_MS, self._batch_size)
        # Only now: a poll may wait out a rebalance, and then gives what the new assignment fetched.
        assignment = self._subscription.assignment
        records = [record for found in polled.values() for record in found]
        return Fetched(fold(record.value for record in records), records, offsets_after(polled), assignment)

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
        await self._subscription.commit(fetched.offsets, fetched.assignment)

    async def _apply(self, batch: Batch) -> Outcome:
        for value, number in batch.values.items():
            metrics.STATUSES.labels(value).inc(number)
        metrics.TIMESTAMPS_REPLACED.inc(batch.timestamps_replaced)
        if batch.age_at_receipt is not None:
            metrics.WEBHOOK_AGE.observe(max(0.0, batch.age_at_receipt / SECOND))
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


def _positions(records: Sequence[ConsumerRecord], refused: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """Give the records that say something of these messages, with the reason of the refusal."""
    found = []
    for position, record in enumerate(records):
        with contextlib.suppress(UndecodableError):
            sqlstate = refused.get(decode(record.value).message_id)
            if sqlstate is not None:
                found.append((position, f"sqlstate_{sqlstate}", "PostgreSQL refuses what the status says"))
    return found
