"""The whole way of one status: a signed webhook goes in, Kafka carries it, PostgreSQL shows the truth."""

from datetime import datetime

import aiohttp
import asyncpg

from tests.integration.campaigns import campaign_row, create_campaign, statuses_of
from tests.integration.environment import Environment
from tests.waiting import eventually
from tests.webhooks import webhooks

WAMID = "wamid.HBgLMTU1NTAxNzMzOTEVAgARGBI3QzFEMDlFNDRCNTJGQTkwMzEA"


async def test_a_status_goes_from_webhook_to_table(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection
) -> None:
    campaign_id = await create_campaign(database, [WAMID])
    body = webhooks()["status_read"]
    async with http.post(environment.webhook_url, data=body, headers=environment.signed(body)) as answer:
        assert (answer.status, await answer.read()) == (200, b"")

    async def read() -> bool:
        return await statuses_of(database, campaign_id) == {WAMID: "read"}

    await eventually(read)
    row = await database.fetchrow("SELECT * FROM message_logs WHERE campaign_id = $1", campaign_id)
    assert row is not None
    at = datetime.fromisoformat("2026-10-01T00:01:35")  # the example's timestamp, 1790812895
    assert (row["sent_at"], row["delivered_at"], row["read_at"], row["failed_at"]) == (at, at, at, None)
    campaign = await campaign_row(database, campaign_id)
    assert (campaign["successful_sends"], campaign["failed_sends"]) == (1, 0)
    assert (campaign["delivered_count"], campaign["read_count"]) == (1, 1)
    assert (campaign["status"], campaign["revision"]) == ("completed", 1)
    await database.execute("DELETE FROM campaign_logs WHERE id = $1", campaign_id)
