"""The loop for changes: poll, apply one after the other, publish, commit. They are few."""

from collections.abc import Sequence
from time import time
from typing import Final

import asyncpg
from aiokafka import ConsumerRecord

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

    async def run(self) -> None:
        """Consume until cancelled; what was not committed is read again, and changes nothing.

        Raises KafkaUnavailableError, TooManyDeadLettersError; KafkaError and PostgresError for what does not pass.
        """
        while True:
            polled = await self._subscription.poll(frozenset(), POLL_MS, RECORDS_AT_ONCE)
            assignment = self._subscription.assignment
            records = [record for found in polled.values() for record in found]
            if records:
                await self._apply_all(records)
                await self._subscription.commit(offsets_after(polled), assignment)

    async def let_begin(self) -> None:
        """Apply what was announced for a time that has come. Raises what asyncpg raises."""
        pending = await self._store.let_begin(int(time()))
        if pending is not None:
            await self._outbox.publish(pending)

    async def _apply_all(self, records: Sequence[ConsumerRecord]) -> None:
        bad = []
        for position, record in enumerate(records):
            try:
                change = decode(record.value)
                await self._apply(change)
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

    async def _apply(self, change: Change) -> None:
        async def attempt() -> Applied:
            return await self._store.apply(change, int(time()))

        metrics.TIMESTAMPS_REPLACED.inc(change.time_replaced)
        applied = await until_committed(attempt)
        metrics.CHANGES.labels(change.field, applied.outcome).inc()
        if change.reading.said and change.reading.unknown:
            metrics.CHANGES.labels(change.field, Outcome.UNKNOWN).inc()
        if applied.pending is not None:
            await self._outbox.publish(applied.pending)
