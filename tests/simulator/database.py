"""A session in the services' database, as its owner."""

import contextlib
from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# A server that restarts in a fault test is waited for by trying again, not by waiting long.
CONNECT_DEADLINE_SECONDS = 10
# The widest statement compares a million rows; it takes seconds.
STATEMENT_DEADLINE_SECONDS = 60
CLOSE_DEADLINE_SECONDS = 2

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
