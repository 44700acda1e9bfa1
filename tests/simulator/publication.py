"""Holds what was heard on the topics against the model and the campaign's row."""

import asyncio
import time
from uuid import UUID

from tests.simulator.announcements import CampaignRecord
from tests.simulator.database import Connection, ask_until
from tests.simulator.ledger import Events, EventsVerdict, Ledger
from tests.simulator.queries import query

POLL_SECONDS = 0.1
# Nothing tells that no repetition will come. One that the services publish, they publish within a second.
QUIET_SECONDS = 2


async def wait_until_published(
    database_url: str, campaign_id: UUID, ledger: Ledger, wanted: Events, deadline: float
) -> EventsVerdict:
    """Give the verdict as soon as it holds and all is quiet, or the last one at the deadline."""

    async def poll(connection: Connection) -> EventsVerdict:
        while True:
            verdict = ledger.judge(wanted, await _campaign_row(connection, campaign_id))
            now = time.monotonic()
            if now >= deadline or (verdict.holds and now >= ledger.heard_at + QUIET_SECONDS):
                return verdict
            await asyncio.sleep(POLL_SECONDS)

    return await ask_until(database_url, deadline, poll)


async def _campaign_row(connection: Connection, campaign_id: UUID) -> CampaignRecord | None:
    row = await connection.fetchrow(query("campaign_record"), campaign_id)
    return None if row is None else CampaignRecord.model_validate(dict(row))
