"""Plans grow old with the tables they were made for."""

import pytest

from status_service import database
from status_service.store import OWNERS
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
