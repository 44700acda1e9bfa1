"""Rows as the sending platform writes them."""

from collections.abc import Iterable
from uuid import UUID, uuid4

import asyncpg


async def create_campaign(database: asyncpg.Connection, message_ids: Iterable[str], total: int | None = None) -> UUID:
    """Write a campaign with a pending row for each message id."""
    name = uuid4().hex
    wanted = list(message_ids)
    async with database.transaction():
        user_id = await database.fetchval(
            "INSERT INTO users (name, email, username, password) VALUES ($1, $1, $1, '') RETURNING id", name
        )
        campaign_id: UUID = await database.fetchval(
            """INSERT INTO campaign_logs (user_id, campaign_name, template_used, total_recipients)
            VALUES ($1, $2, 'autumn_sale', $3) RETURNING id""",
            user_id,
            name,
            len(wanted) if total is None else total,
        )
        await database.executemany(
            "INSERT INTO message_logs (campaign_id, recipient_number, message_id) VALUES ($1, $2, $3)",
            [(campaign_id, str(number), message_id) for number, message_id in enumerate(wanted)],
        )
    return campaign_id


async def statuses_of(database: asyncpg.Connection, campaign_id: UUID) -> dict[str, str]:
    rows = await database.fetch("SELECT message_id, status FROM message_logs WHERE campaign_id = $1", campaign_id)
    return {row["message_id"]: row["status"] for row in rows}


async def campaign_row(database: asyncpg.Connection, campaign_id: UUID) -> asyncpg.Record:
    row = await database.fetchrow("SELECT * FROM campaign_logs WHERE id = $1", campaign_id)
    assert row is not None
    return row
