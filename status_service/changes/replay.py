"""`replay`, the part of it that is about changes: reads them from Kafka again, into the same tables."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from time import time
from typing import Final

import asyncpg
from aiokafka import ConsumerRecord

from shared import postgres
from shared.topics import RAW_ACCOUNT, RAW_TEMPLATE
from status_service import topic_range
from status_service.applier import until_committed
from status_service.changes.change import decode
from status_service.changes.store import Applied, ChangeStore, Outcome
from status_service.decode import UndecodableError
from status_service.outbox import Outbox
from status_service.progress import Progress
from status_service.settings import CommandSettings

RECORDS_AT_ONCE: Final = 1000


@dataclass(slots=True)
class ReplayedChanges:
    """What became of the changes; records that are none, and what PostgreSQL refuses."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    undecodable: int = 0
    refused: int = 0


class ChangeReplay:
    """Applies changes once more; can be interrupted and repeated at any time."""

    def __init__(self, settings: CommandSettings, store: ChangeStore, outbox: Outbox, *, dry_run: bool) -> None:
        self._settings = settings
        self._store = store
        self._outbox = outbox
        self._dry_run = dry_run

    async def run(self, since: datetime, until: datetime | None, progress: Progress) -> ReplayedChanges:
        """Apply the changes that were published between these times; in a dry run only tell.

        Raises KafkaUnavailableError, and PostgresError for what does not pass by itself.
        """
        replayed = ReplayedChanges()
        for topic in (RAW_TEMPLATE, RAW_ACCOUNT):
            async with topic_range.opened(self._settings, topic, since, until) as part:
                async for records in part.batches(RECORDS_AT_ONCE):
                    for record in records:
                        await self._apply(record, replayed)
                    progress(part.read, part.total)
        return replayed

    async def _apply(self, record: ConsumerRecord, replayed: ReplayedChanges) -> None:
        try:
            change = decode(record.value)

            async def attempt() -> Applied:
                return await self._store.apply(change, int(time()), tell_without_row=False, undone=self._dry_run)

            applied = await until_committed(attempt)
        except UndecodableError:
            replayed.undecodable += 1
        except asyncpg.PostgresError as error:
            if not postgres.refuses(error):
                raise
            replayed.refused += 1
        else:
            replayed.outcomes[applied.outcome] += 1
            if applied.pending is not None and not self._dry_run:
                await self._outbox.publish(applied.pending)
