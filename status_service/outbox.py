"""Events on their way from PostgreSQL to Kafka: published after the commit, deleted after Kafka's acknowledgement.

An entry belongs to the session that wrote it. One whose session is gone, killed between commit and publication, is
taken over by another: its events may come twice then, with the same ids.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from shared import postgres
from shared.publisher import NotPublishedError, Publisher, RefusedError
from status_service import metrics
from status_service.campaigns import CampaignPublisher
from status_service.database import OUTBOX_LOCKS, Database
from status_service.dead_letters import DeadLetters
from status_service.events import Entry, record
from status_service.store import Pending

INHERIT: Final = postgres.read_statement(__file__, "inherit_outbox")
DELETE: Final = postgres.read_statement(__file__, "delete_from_outbox")

SHORTEST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Outbox:
    """Publishes entries, this process's own and those that nobody owns any more."""

    def __init__(
        self, database: Database, publisher: Publisher, campaigns: CampaignPublisher, dead_letters: DeadLetters
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._campaigns = campaigns
        self._dead_letters = dead_letters
        self._in_hand: set[int] = set()
        self._published: list[int] = []

    async def publish(self, pending: Pending) -> None:
        """Return once Kafka has the entry, however long that takes; what it refuses for good is dead-lettered."""
        self._in_hand.add(pending.id)
        metrics.OUTBOX_BACKLOG.set(len(self._in_hand))
        try:
            await until_published(self._send, pending.entry)
            self._published.append(pending.id)
        finally:
            # An entry that was given up stays in the outbox; it is taken over once this session has ended.
            self._in_hand.discard(pending.id)
            metrics.OUTBOX_BACKLOG.set(len(self._in_hand))

    async def flush(self) -> None:
        """Forget what Kafka has. Raises what asyncpg raises."""
        if self._published:
            done, self._published = self._published, []
            try:
                async with self._database.session() as session:
                    await session.execute(DELETE, done)
            except BaseException:
                self._published += done
                raise

    async def inherit(self) -> None:
        """Publish what was left behind. Raises what asyncpg raises."""
        async with self._database.session() as session:
            mine = [*self._in_hand, *self._published]
            rows = await session.fetch(INHERIT, OUTBOX_LOCKS, mine)
        if rows:
            log.info("outbox_entries_inherited", entries=len(rows))
        for row in rows:
            await self.publish(Pending(row["id"], Entry.loads(row["events"])))

    async def _send(self, entry: Entry) -> None:
        records = [record(event) for event in entry.all_events()]
        if records:
            try:
                await self._publisher.publish(records)
            except RefusedError as refused:
                await self._dead_letters.publish_refused(refused.refusals)
            for topic, number in Counter(published.topic for published in records).items():
                metrics.EVENTS.labels(topic.suffix).inc(number)
        if entry.campaigns:
            await self._campaigns.publish(entry.campaigns)


async def until_published(publish: Callable[[T], Awaitable[None]], what: T) -> None:
    """Publish, again and again while Kafka is away."""
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(NotPublishedError),
        wait=wait_random_exponential(multiplier=SHORTEST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
        before_sleep=_note_retry,
    )
    await attempts(publish, what)


def _note_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("events_not_published", error=type(error).__name__, attempt=state.attempt_number)
