"""What the tables say, and what the platform does to them."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.unpublished import events_in_outbox
from tests.waiting import eventually

AT = 1_790_812_812 * 1_000_000


async def add_row(
    platform: asyncpg.Connection, campaign_id: UUID, message_id: str | None = None, row_id: UUID | None = None
) -> UUID:
    """Write one more pending row of a campaign."""
    written = uuid4() if row_id is None else row_id
    await platform.execute(
        "INSERT INTO message_logs (id, campaign_id, recipient_number, message_id) VALUES ($1, $2, $3, $4)",
        written,
        campaign_id,
        written.hex[:20],
        message_id,
    )
    return written


async def row_of(platform: asyncpg.Connection, row_id: UUID) -> asyncpg.Record:
    row = await platform.fetchrow("SELECT * FROM message_logs WHERE id = $1", row_id)
    assert row is not None
    return row


async def parked(platform: asyncpg.Connection) -> set[str]:
    return {row[0] for row in await platform.fetch("SELECT message_id FROM parked_statuses")}


async def grow_older(platform: asyncpg.Connection, message_id: str, by: timedelta) -> None:
    """Let time pass for one entry."""
    moved = await platform.execute(
        "UPDATE parked_statuses SET parked_at = parked_at - $2::interval, expires_at = expires_at - $2::interval"
        " WHERE message_id = $1",
        message_id,
        by,
    )
    assert moved == "UPDATE 1"


async def status_events(platform: asyncpg.Connection, row_id: UUID) -> list[str]:
    """Give what the outbox tells of a row, sorted: a repetition shows."""
    return sorted(
        event.topic.suffix.removeprefix("status.")
        for event in await events_in_outbox(platform)
        if json.loads(event.data).get("id") == str(row_id)
    )


async def unmatched_events(platform: asyncpg.Connection) -> list[dict[str, Any]]:
    events = await events_in_outbox(platform)
    return [json.loads(event.data) for event in events if event.topic.suffix == "unmatched"]


async def until_somebody_waits(platform: asyncpg.Connection, sessions: int = 1) -> None:
    """Return once so many sessions of this database wait for a lock."""

    async def waits() -> bool:
        waiting: int = await platform.fetchval(
            "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )
        return waiting >= sessions

    await eventually(waits)
