"""Plans find a message's row by its index, and grow old with the tables they were made for."""

from typing import Any
from uuid import UUID

import pytest

from status_service import database
from status_service.parking import FOUND
from status_service.store import BUSY_CAMPAIGNS, CLAIM, MERGE, OWNERS, ROWS_OF_MESSAGES
from tests.faults.databases import Database
from tests.waiting import eventually

MADE = "SELECT prepare_time FROM pg_prepared_statements WHERE statement = $1"


async def test_a_session_does_not_keep_a_plan_for_ever(urls: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PLAN_LIFETIME_SECONDS", 1)
    async with database.connected(urls.status_service) as opened, opened.session() as session:
        await session.fetch(OWNERS, [])
        first = await session.fetchval(MADE, OWNERS)

        async def made_anew() -> bool:
            await session.fetch(OWNERS, [])
            return bool(await session.fetchval(MADE, OWNERS) > first)

        await eventually(made_anew)


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (MERGE, [["wamid.A"], [1], [None], [None], [None], [None], [None], []]),
        (BUSY_CAMPAIGNS, [["wamid.A"], [], 1]),
        (CLAIM, [["wamid.A"], [UUID(int=1)], []]),
        (ROWS_OF_MESSAGES, [["wamid.A"], [], []]),
        (FOUND, [[], [], 1]),
    ],
    ids=["merge", "busy_campaigns", "claim", "rows_of_messages", "found_parked"],
)
async def test_messages_are_found_by_their_index(urls: Database, statement: str, parameters: list[Any]) -> None:
    """The index leaves out empty message ids: a statement that may mean those too cannot use it."""
    async with database.connected(urls.status_service) as opened, opened.transaction() as session:
        # The tables are nearly empty, which an index is never worth.
        await session.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await session.fetch(f"EXPLAIN {statement}", *parameters))
    assert "idx_message_logs_message_id" in plan
