"""Campaigns as other services see them: published from committed state, at most twice a second each."""

import asyncio
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import structlog

from shared import postgres
from shared.publisher import Publisher, RefusedError
from status_service import metrics
from status_service.database import CAMPAIGN_LOCKS, Database, Session
from status_service.events import campaign_event, record

LOCK: Final = postgres.read_statement(__file__, "lock_campaigns")
UNLOCK: Final = "SELECT pg_advisory_unlock($1, hashtext(id::text)) FROM unnest($2::uuid[]) AS campaign (id)"
CAMPAIGNS: Final = postgres.read_statement(__file__, "campaigns")

PAUSE_SECONDS: Final = 0.5
# Each is a lock in PostgreSQL's table of some 6,400; the rest waits for the next turn.
AT_ONCE: Final = 500

log = structlog.get_logger(__name__)


class CampaignPublisher:
    """Publishes campaigns that have changed.

    A lock keeps a campaign to one publisher from the reading of its row to half a second after the acknowledgement. So
    the records of a campaign are in the order of their revisions, and however many consumers change it, two a
    second are published. A change that is lost with its process is published after the campaign's recount.
    """

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._changed: dict[UUID, list[asyncio.Future[None]]] = {}
        self._any = asyncio.Event()

    def note(self, campaigns: Iterable[UUID]) -> None:
        """Publish these when it is their turn."""
        for campaign in campaigns:
            self._changed.setdefault(campaign, [])
            self._any.set()

    async def publish(self, campaigns: Iterable[UUID]) -> None:
        """Return once Kafka has these, as they were committed after the call."""
        waiting = []
        for campaign in campaigns:
            published: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._changed.setdefault(campaign, []).append(published)
            waiting.append(published)
            self._any.set()
        await asyncio.gather(*waiting)

    async def turn(self) -> None:
        """Publish what has changed, and hold it for half a second. Raises what asyncpg raises, NotPublishedError."""
        await self._any.wait()
        async with self._database.session() as session:
            locked = [row[0] for row in await session.fetch(LOCK, CAMPAIGN_LOCKS, list(self._changed)[:AT_ONCE])]
            try:
                await self._publish(session, locked)
                await asyncio.sleep(PAUSE_SECONDS)
            finally:
                await session.execute(UNLOCK, CAMPAIGN_LOCKS, locked)
        if not self._changed:
            self._any.clear()

    async def _publish(self, session: Session, locked: list[UUID]) -> None:
        taken = {campaign: self._changed.pop(campaign) for campaign in locked}
        try:
            rows = await session.fetch(CAMPAIGNS, locked)
            try:
                await self._publisher.publish([record(campaign_event(dict(row))) for row in rows])
            except RefusedError as refused:
                # A few hundred bytes: only a topic that takes none at all refuses them, and a later state comes soon.
                log.warning("campaigns_refused", campaigns=len(refused.refusals), error=refused.refusals[0].error)
        except BaseException:
            for campaign, waiting in taken.items():
                self._changed.setdefault(campaign, []).extend(waiting)
            raise
        metrics.EVENTS.labels("campaign").inc(len(rows))
        for waiting in taken.values():
            for published in waiting:
                if not published.done():
                    published.set_result(None)
