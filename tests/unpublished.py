"""The store and the sweep on a real database, without Kafka: what they have to tell stays in the outbox's table."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from status_service import database
from status_service.campaigns import CampaignPublisher
from status_service.database import Database
from status_service.events import Entry, Event
from status_service.outbox import Outbox
from status_service.parking import Sweep
from status_service.store import Pending, Store

PARKED_TTL_SECONDS = 24 * 60 * 60


class UnpublishedOutbox(Outbox):
    """Leaves entries in the table, as a service does that is killed between commit and publication."""

    def __init__(self) -> None:
        self.left: list[Pending] = []

    async def publish(self, pending: Pending) -> None:
        self.left.append(pending)


class UnpublishedCampaigns(CampaignPublisher):
    """Publishes no campaign, and keeps which it was told of."""

    def __init__(self) -> None:
        self.noted: set[UUID] = set()

    def note(self, campaigns: Iterable[UUID]) -> None:
        self.noted |= set(campaigns)


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A process of status_service, as far as PostgreSQL knows it."""

    database: Database
    store: Store
    sweep: Sweep
    outbox: UnpublishedOutbox
    campaigns: UnpublishedCampaigns


@contextlib.asynccontextmanager
async def unpublished(database_url: str, parked_ttl_seconds: int = PARKED_TTL_SECONDS) -> AsyncIterator[Unpublished]:
    async with database.connected(database_url) as opened:
        store, outbox, campaigns = Store(opened, parked_ttl_seconds), UnpublishedOutbox(), UnpublishedCampaigns()
        sweep = Sweep(opened, store, outbox, campaigns, parked_ttl_seconds)
        yield Unpublished(opened, store, sweep, outbox, campaigns)


async def events_in_outbox(connection: asyncpg.Connection) -> list[Event]:
    """Give every event that was committed, in the order of the transactions."""
    entries = await connection.fetch("SELECT events FROM status_outbox ORDER BY id")
    return [event for entry in entries for event in Entry.loads(entry["events"]).all_events()]
