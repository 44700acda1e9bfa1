"""Applies what was told, whatever is in the way: outages and conflicts are waited out, refused data is found alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import asyncpg
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from shared import postgres
from status_service import metrics
from status_service.batch import Told
from status_service.campaigns import CampaignPublisher
from status_service.dead_letters import Brake
from status_service.outbox import Outbox
from status_service.store import Applied, Locks, Store, Unmatched

# Pauses between attempts grow from a deadlock's length to what an outage deserves.
SHORTEST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 5.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Outcome:
    """What was applied, part by part, and the messages that PostgreSQL refuses, with its SQLSTATE."""

    applied: list[Applied] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class Applier:
    """Applies, and publishes what was applied."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        campaigns: CampaignPublisher,
        brake: Brake,
        unmatched: Unmatched,
        *,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._campaigns = campaigns
        self._brake = brake
        self._unmatched = unmatched
        self._dry_run = dry_run

    async def apply(self, told: Told) -> Outcome:
        """Return when everything but the refused is committed, however long that takes.

        Raises TooManyDeadLettersError, and PostgresError for what does not pass by itself.
        """
        outcome = Outcome()
        await self._apply_or_halve(told, outcome)
        return outcome

    async def publish(self, outcome: Outcome) -> None:
        """Return when the events of what was applied are in Kafka, however long that takes."""
        for applied in outcome.applied:
            if applied.pending is not None:
                await self._outbox.publish(applied.pending)

    async def _apply_or_halve(self, told: Told, outcome: Outcome) -> None:
        try:
            applied = await self._attempt(told)
        except asyncpg.PostgresError as error:
            if not postgres.refuses(error):
                raise
            names = list(told.evidence)
            if len(names) == 1:
                outcome.refused[names[0]] = postgres.reason(error)
                self._brake.bear(len(outcome.refused))
                return
            for half in (names[: len(names) // 2], names[len(names) // 2 :]):
                await self._apply_or_halve(told.only(half), outcome)
            return
        outcome.applied.append(applied)
        if not self._dry_run:
            self._campaigns.note(applied.campaigns)

    async def _attempt(self, told: Told) -> Applied:
        """Apply until it succeeds; after a lock timeout without what others have locked."""
        locks = Locks.WAIT

        async def attempt() -> Applied:
            nonlocal locks
            try:
                return await self._store.apply(told, locks, self._unmatched, undone=self._dry_run)
            except asyncpg.LockNotAvailableError:
                locks = Locks.SKIP
                raise

        return await until_committed(attempt)


async def until_committed(attempt: Callable[[], Awaitable[T]]) -> T:
    """Do something in the database, again and again while the reason that it fails can pass."""
    attempts = AsyncRetrying(
        retry=retry_if_exception(postgres.passes),
        wait=wait_random_exponential(multiplier=SHORTEST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
        before_sleep=_note_retry,
    )
    done: T = await attempts(attempt)
    return done


def _note_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    reason = postgres.reason(error) if error else "unknown"
    metrics.APPLY_RETRIES.labels(reason).inc()
    log.warning("batch_repeated", reason=reason, attempt=state.attempt_number)
