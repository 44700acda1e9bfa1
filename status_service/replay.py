"""`replay`: reads statuses from Kafka again, into the same merge."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.topics import RAW_STATUS
from status_service import topic_range
from status_service.applier import Applier
from status_service.batch import Told, fold
from status_service.campaigns import CampaignPublisher
from status_service.dead_letters import Brake
from status_service.outbox import Outbox
from status_service.progress import Progress
from status_service.settings import CommandSettings
from status_service.store import Store, Unmatched


@dataclass(slots=True)
class Replayed:
    """What a replay found and changed; a row that changed in several batches is one row."""

    statuses: int = 0
    undecodable: int = 0
    refused: int = 0
    without_row: int = 0
    locked: int = 0
    rows: set[UUID] = field(default_factory=set)
    campaigns: set[UUID] = field(default_factory=set)


class Replay:
    """Applies statuses once more; can be interrupted and repeated at any time."""

    def __init__(
        self,
        settings: CommandSettings,
        store: Store,
        outbox: Outbox,
        campaigns: CampaignPublisher,
        *,
        dry_run: bool,
    ) -> None:
        self._settings = settings
        self._campaigns = campaigns
        self._dry_run = dry_run
        # There is no deploy to stop here: a person is watching, and is told of every record that cannot be applied.
        brake = Brake(run=settings.batch_size, share=1)
        self._applier = Applier(store, outbox, campaigns, brake, Unmatched.IGNORE, dry_run=dry_run)

    async def run(self, since: datetime, until: datetime | None, progress: Progress) -> Replayed:
        """Apply the statuses that were published between these times; park nothing, and in a dry run change nothing.

        Raises KafkaUnavailableError, and PostgresError for what does not pass by itself.
        """
        replayed = Replayed()
        async with topic_range.opened(self._settings, RAW_STATUS, since, until) as part:
            async for records in part.batches(self._settings.batch_size):
                batch = fold(record.value for record in records)
                replayed.statuses += sum(batch.values.values())
                replayed.undecodable += len(batch.undecodable)
                if batch.told.evidence:
                    await self._apply(batch.told, replayed)
                progress(part.read, part.total)
        if not self._dry_run:
            await self._campaigns.publish(replayed.campaigns)
        return replayed

    async def _apply(self, told: Told, replayed: Replayed) -> None:
        outcome = await self._applier.apply(told)
        if not self._dry_run:
            await self._applier.publish(outcome)
        replayed.refused += len(outcome.refused)
        for one in outcome.applied:
            replayed.without_row += one.without_row
            replayed.locked += one.locked
            replayed.rows |= one.written
            replayed.campaigns |= one.campaigns
