"""The running service makes counts right again, whatever the platform wrote, and tells subscribers."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from deploy.local.stack import Stack
from status_service.merge import of_delivered, of_failed, of_read
from tests.integration.apart import Apart, apart
from tests.integration.campaigns import campaign_row, create_campaign
from tests.integration.test_store import counts_equal_rows
from tests.told import told
from tests.unpublished import unpublished
from tests.waiting import eventually

AT = 1_790_812_812 * 1_000_000
RECONCILE_AFTER_SECONDS = 1
# The promise is so much more.
DEADLINE_SECONDS = RECONCILE_AFTER_SECONDS + 10

FOREIGN_WRITES = {
    "sent": "UPDATE message_logs SET status = 'sent' WHERE campaign_id = $1 AND status = 'pending'",
    "failed": "UPDATE message_logs SET status = 'failed' WHERE campaign_id = $1 AND status IN ('delivered', 'read')",
    "counts": "UPDATE campaign_logs SET successful_sends = 99, failed_sends = 0, read_count = 3 WHERE id = $1",
}


@pytest.fixture(scope="module")
async def own(
    stack: Stack, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Apart]:
    directory = tmp_path_factory.mktemp("counts")
    async with (
        apart(stack, "counts", directory, RECONCILE_AFTER=str(RECONCILE_AFTER_SECONDS)) as made,
        made.service(http),
    ):
        yield made


async def untouched_campaign(database: asyncpg.Connection) -> UUID:
    """Write a campaign whose counts were wrong before there was a service, as a dump is loaded: no trigger sees it."""
    await database.execute("SET session_replication_role = replica")
    campaign_id = await create_campaign(database, ["untouched"])
    await database.execute("UPDATE message_logs SET status = 'sent' WHERE campaign_id = $1", campaign_id)
    await database.execute("RESET session_replication_role")
    return campaign_id


async def last_record(own: Apart, campaign_id: UUID) -> dict[str, Any] | None:
    records = [record for record in await own.records("campaign") if record.key == str(campaign_id).encode()]
    found: dict[str, Any] | None = json.loads(records[-1].value) if records else None
    return found


async def test_counts_are_right_again_in_time_and_subscribers_hear_of_it(own: Apart) -> None:
    untouched = await campaign_row(own.database, await untouched_campaign(own.database))
    campaigns = {
        what: await create_campaign(own.database, [f"{what}.{kind}" for kind in "PDRF"]) for what in FOREIGN_WRITES
    }
    async with unpublished(own.settings["DATABASE_URL"]) as service:
        for what in campaigns:
            evidence = {f"{what}.D": of_delivered(AT), f"{what}.R": of_read(AT), f"{what}.F": of_failed(AT, 1, "no")}
            await service.store.apply(told(evidence))

    async def recounted() -> bool:
        query = "SELECT bool_and(revision = recounted_revision) FROM campaign_logs WHERE id = ANY ($1)"
        return bool(await own.database.fetchval(query, list(campaigns.values())))

    await eventually(recounted)
    before = {what: await campaign_row(own.database, campaign_id) for what, campaign_id in campaigns.items()}
    # Each is all that happens to its campaign: no status comes that would bring it up.
    for what, campaign_id in campaigns.items():
        await own.database.execute(FOREIGN_WRITES[what], campaign_id)

    async def equal() -> bool:
        return all([await counts_equal_rows(own.database, campaign_id) for campaign_id in campaigns.values()])

    assert not await equal()
    await eventually(equal, DEADLINE_SECONDS)
    for what, campaign_id in campaigns.items():
        row = await campaign_row(own.database, campaign_id)
        assert row["revision"] > before[what]["revision"], what
        # The platform has set the last one to sent: every recipient is accounted for.
        assert row["status"] == ("completed" if what == "sent" else "processing"), what

    async def published() -> bool:
        for campaign_id in campaigns.values():
            row = await campaign_row(own.database, campaign_id)
            record = await last_record(own, campaign_id)
            if record is None or record["revision"] < row["revision"]:
                return False
            shown = {name: row[name] for name in record if name not in {"campaign_id", "user_id"}}
            assert record == shown | {"campaign_id": str(row["id"]), "user_id": str(row["user_id"])}
        return True

    await eventually(published)
    assert await campaign_row(own.database, untouched["id"]) == untouched
