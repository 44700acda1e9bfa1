"""A session in the services' database, as its owner."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias, TypeVar

import asyncpg

from tests.simulator.failure import SimulationError

Answer = TypeVar("Answer")
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# A server that restarts in a fault test is waited for by trying again, not by waiting long.
CONNECT_DEADLINE_SECONDS = 10
# The widest statement compares a million rows; it takes seconds.
STATEMENT_DEADLINE_SECONDS = 60
CLOSE_DEADLINE_SECONDS = 2
RETRY_SECONDS = 0.1

# What a session raises when its server is away for a while.
DATABASE_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)


@contextlib.asynccontextmanager
async def connect(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_DEADLINE_SECONDS,
        command_timeout=STATEMENT_DEADLINE_SECONDS,
        server_settings={"application_name": "meta-simulator", "timezone": "UTC"},
    )
    try:
        yield connection
    finally:
        with contextlib.suppress(TimeoutError):
            await connection.close(timeout=CLOSE_DEADLINE_SECONDS)


async def ask_until(url: str, deadline: float, ask: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Ask again on a new connection while the database is away, until the monotonic `deadline`."""
    while True:
        try:
            async with connect(url) as connection:
                return await ask(connection)
        except DATABASE_AWAY as error:
            if time.monotonic() >= deadline:
                raise SimulationError(f"the database is away: {error!r}") from None
            await asyncio.sleep(RETRY_SECONDS)
