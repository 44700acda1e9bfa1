"""Databases that hold many messages: a new one with our tables, and a customer's with its own, adopted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from hashlib import md5

import asyncpg

from tests.bench.ground import Ground, run_command
from tests.conftest import create_database, drop_database
from tests.schema.conftest import build_by_hand

CAMPAIGN_ROWS = 10_000
# Before anything that a benchmark tells; the columns are naive UTC.
DELIVERED_AT = datetime(2026, 9, 1, 8)  # noqa: DTZ001

# A campaign's id follows from its number, so that ten million rows need no join to find it.
CREATE_CAMPAIGNS = """
INSERT INTO campaign_logs (id, user_id, campaign_name, template_used, total_recipients)
SELECT md5('campaign ' || number)::uuid, (SELECT min(id::text)::uuid FROM users), number::text, '', $3
FROM generate_series($1::bigint, $2::bigint - 1) AS number
"""
# The id of a message is as long as Meta's, and as random: it says nothing about the row's place. Only Meta's answer to
# the call tells it. Only columns of the seed, because a customer's rows are there before the migrations.
CREATE_MESSAGES = """
INSERT INTO message_logs (campaign_id, recipient_number, message_id, status, sent_at, delivered_at)
SELECT md5('campaign ' || message / $3::bigint)::uuid, '49155' || lpad(message::text, 8, '0'),
    CASE WHEN $4 <> 'pending' THEN 'wamid.HBgLMTU1NTAxMDAwMDAVAgARGBI' || md5(message::text) END, $4, $5, $5
FROM generate_series($1::bigint, $2::bigint - 1) AS message
"""
# As a platform does it, which sets a status too that is counted nowhere.
STORE_ANSWERS = """
UPDATE message_logs
SET message_id = 'wamid.HBgLMTU1NTAxMDAwMDAVAgARGBI' || md5(message::text), status = 'sent', sent_at = now()
FROM generate_series($1::bigint, $2::bigint - 1) AS message
WHERE campaign_id = md5('campaign ' || message / $3::bigint)::uuid
    AND recipient_number = '49155' || lpad(message::text, 8, '0')
"""


class Kind(StrEnum):
    """Whose tables they are: made by the migrations, or the customer's with a b-tree on the status."""

    NEW = "new"
    ADOPTED = "adopted"


@contextlib.asynccontextmanager
async def grown_database(ground: Ground, kind: Kind, messages: int) -> AsyncIterator[str]:
    """Give the owner's URL of a database with so many messages, all of them delivered; it is dropped afterwards."""
    name = await asyncio.to_thread(create_database, ground.stack.postgres)
    url = ground.stack.postgres.url(name)
    try:
        if kind is Kind.NEW:
            await run_command("schema", "migrate", DATABASE_URL=url)
        else:
            await asyncio.to_thread(build_by_hand, url)
        owner = await asyncpg.connect(url)
        try:
            await owner.execute("INSERT INTO users (name, email, username, password) VALUES ('', '', '', '')")
            await create_rows(owner, range(messages), "delivered", DELIVERED_AT)
            if kind is Kind.ADOPTED:
                await run_command("schema", "migrate", DATABASE_URL=url)
            if messages:
                # Not of empty tables, which nobody analyzes: plans for them would outlive the first campaigns.
                await owner.execute("VACUUM ANALYZE")
            await owner.execute("CHECKPOINT")
        finally:
            await owner.close()
        yield url
    finally:
        await asyncio.to_thread(drop_database, ground.stack.postgres, name)


async def create_rows(
    owner: asyncpg.Connection, messages: range, status: str = "pending", at: datetime | None = None
) -> None:
    """Create the messages of these numbers, which fill whole campaigns; what is pending has no message id yet."""
    campaigns = messages.start // CAMPAIGN_ROWS, messages.stop // CAMPAIGN_ROWS
    # Without foreign keys and triggers: half of the time that ten million rows take.
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(CREATE_CAMPAIGNS, *campaigns, CAMPAIGN_ROWS)
        await owner.execute(CREATE_MESSAGES, messages.start, messages.stop, CAMPAIGN_ROWS, status, at)


async def store_answers(owner: asyncpg.Connection, messages: range) -> None:
    """Write what Meta answered when these messages were sent: their ids."""
    await owner.execute(STORE_ANSWERS, messages.start, messages.stop, CAMPAIGN_ROWS)


def message_id(number: int) -> str:
    return f"wamid.HBgLMTU1NTAxMDAwMDAVAgARGBI{md5(str(number).encode(), usedforsecurity=False).hexdigest()}"
