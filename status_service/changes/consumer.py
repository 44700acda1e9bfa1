"""The loop for changes: poll, apply one after the other, publish, commit. They are few."""

import asyncio
from collections.abc import Sequence
from time import time
from typing import Final

import asyncpg
from aiokafka import ConsumerRecord, TopicPartition

from shared import postgres
from status_service import metrics
from status_service.applier import until_committed
from status_service.changes.change import Change, decode
from status_service.changes.store import Applied, ChangeStore, Outcome
from status_service.dead_letters import Brake, DeadLetters
from status_service.decode import UndecodableError
from status_service.outbox import Outbox, until_published
from status_service.subscription import Subscription, offsets_after

# How long a poll waits for records.
POLL_MS: Final = 200
RECORDS_AT_ONCE: Final = 100
# Changes whose rows are locked; with so many nothing more is read.
ASIDE_AT_MOST: Final = 100
# What begins by itself is late by so much.
PAUSE_SECONDS: Final = 5.0


class ChangeConsumer:
    """Applies changes of templates, numbers and accounts, and lets begin what was announced."""

    def __init__(
        self,
        subscription: Subscription,
        store: ChangeStore,
        outbox: Outbox,
        dead_letters: DeadLetters,
        brake: Brake,
    ) -> None:
        self._subscription = subscription
        self._store = store
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._brake = brake
        self._assignment = subscription.assignment
        # How far each partition is read, and what is put aside of it because somebody has locked its rows.
        self._offsets: dict[TopicPartition, int] = {}
        self._aside: list[ConsumerRecord] = []

    async def run(self) -> None:
        """Consume until cancelled; what was not committed is read again, and changes nothing.

        Raises KafkaUnavailableError, TooManyDeadLettersError; KafkaError and PostgresError for what does not pass.
        """
        # Only now: joining a group waits for its members that were killed, and statuses need not.
        await self._subscription.start()
        while True:
            if len(self._aside) < ASIDE_AT_MOST:
                polled = await self._subscription.poll(frozenset(), POLL_MS, RECORDS_AT_ONCE)
            else:
                polled = {}
                await asyncio.sleep(POLL_MS / 1000)
            if self._assignment != self._subscription.assignment:
                # Others read it again, or this process does.
                self._assignment, self._offsets, self._aside = self._subscription.assignment, {}, []
            records = [record for found in polled.values() for record in found]
            if not records and not self._aside:
                continue
            self._offsets |= offsets_after(polled)
            aside, self._aside = self._aside, []
            await self._apply_all([*aside, *records])
            await self._subscription.commit(self._done(), self._assignment)

    async def let_begin(self) -> None:
        """Apply what was announced for a time that has come. Raises what asyncpg raises."""
        for pending in await self._store.let_begin(int(time())):
            await self._outbox.publish(pending)

    def _done(self) -> dict[TopicPartition, int]:
        """Give the offsets before which everything is through."""
        done = dict(self._offsets)
        for record in self._aside:
            partition = TopicPartition(record.topic, record.partition)
            done[partition] = min(done[partition], record.offset)
        return done

    async def _apply_all(self, records: Sequence[ConsumerRecord]) -> None:
        bad = []
        for position, record in enumerate(records):
            try:
                if not await self._apply(decode(record.value)):
                    self._aside.append(record)
            except UndecodableError as error:
                bad.append((position, "undecodable", str(error)))
            except asyncpg.PostgresError as error:
                if not postgres.refuses(error):
                    raise
                bad.append((position, f"sqlstate_{postgres.reason(error)}", "PostgreSQL refuses what the change says"))
        self._brake.check(len(records), [position for position, _, _ in bad])
        if bad:
            letters = [(records[position], reason, detail) for position, reason, detail in bad]
            await until_published(self._dead_letters.publish, letters)

    async def _apply(self, change: Change) -> bool:
        """Tell whether it is applied; it is not where others have locked its rows."""

        async def attempt() -> Applied | None:
            try:
                return await self._store.apply(change, int(time()))
            except asyncpg.LockNotAvailableError:
                return None

        applied = await until_committed(attempt)
        if applied is None:
            return False
        metrics.TIMESTAMPS_REPLACED.inc(change.time_replaced)
        metrics.CHANGES.labels(change.field, applied.outcome).inc()
        if change.reading.said and change.reading.unknown:
            metrics.CHANGES.labels(change.field, Outcome.UNKNOWN).inc()
        if applied.pending is not None:
            await self._outbox.publish(applied.pending)
        return True
