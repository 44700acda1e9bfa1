"""A session that an administrator or a failover ends, in whatever moment, is an outage that passes."""

import asyncio

import asyncpg
import pytest

from deploy.local.postgres import PostgresServer
from shared import postgres as shared_postgres
from status_service import database as databases
from tests.faults.databases import Database as Urls
from tests.faults.line import Line
from tests.waiting import eventually

# Turns of the event loop in which what the server has sent arrives.
TURNS = 100


async def use_what_was_terminated(database: databases.Database, administrator: asyncpg.Connection) -> None:
    """Let a session be ended while it is idle, and use it once that was said."""
    async with database.transaction() as session:
        pid = await session.fetchval("SELECT pg_backend_pid()")
        await administrator.execute("SELECT pg_terminate_backend($1)", pid)

        async def has_gone() -> bool:
            gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
            return bool(await administrator.fetchval(gone, pid))

        await eventually(has_gone)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await session.execute("SELECT true")


async def test_a_session_that_hears_of_its_end_and_not_yet_that_the_line_is_closed(
    urls: Urls, postgres: PostgresServer
) -> None:
    """The next statement is refused then by asyncpg, as a fault of its own."""
    administrator = await asyncpg.connect(urls.owner)
    try:
        async with (
            Line.to(postgres.port, farewell=False) as line,
            databases.connected(line.url(urls.status_service)) as database,
        ):
            with pytest.raises(asyncpg.InternalClientError) as error:
                await use_what_was_terminated(database, administrator)
            assert shared_postgres.passes(error.value)
            # The pool does not lend it again.
            assert await database.reachable()
    finally:
        await administrator.close()
