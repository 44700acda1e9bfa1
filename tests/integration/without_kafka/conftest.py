"""Store, sweep and recount on real PostgreSQL servers: one database a server, emptied before each test."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from deploy.local.postgres import PostgresServer
from tests.faults.databases import Database, migrated_database
from tests.unpublished import Unpublished, unpublished


@pytest.fixture(scope="package")
def urls(postgres: PostgresServer) -> Iterator[Database]:
    with migrated_database(postgres) as database:
        yield database


@pytest.fixture
async def platform(urls: Database) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the sending platform, which owns the tables."""
    connection = await asyncpg.connect(urls.owner)
    for table in ("users", "parked_statuses", "status_outbox", "changed_campaigns"):
        await connection.execute(f"DELETE FROM {table}")
    yield connection
    await connection.close()


@pytest.fixture
async def other_platform(urls: Database) -> AsyncIterator[asyncpg.Connection]:
    """Connect as another session of the platform, which holds locks meanwhile."""
    connection = await asyncpg.connect(urls.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def service(urls: Database, platform: asyncpg.Connection) -> AsyncIterator[Unpublished]:  # noqa: ARG001 -- emptied
    async with unpublished(urls.status_service) as opened:
        yield opened


@pytest.fixture
async def other_service(urls: Database, platform: asyncpg.Connection) -> AsyncIterator[Unpublished]:  # noqa: ARG001
    async with unpublished(urls.status_service) as opened:
        yield opened
