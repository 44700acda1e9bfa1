"""The whole stack, started once for all integration tests: real PostgreSQL, real broker, the services as processes."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.local.stack import Stack
from tests.integration.environment import Environment


@pytest.fixture(scope="session")
def environment(stack: Stack) -> Environment:
    """Say where the running stack is."""
    return Environment(stack.directory.read_environment(), stack.directory.path)


@pytest.fixture(scope="session")
async def database(environment: Environment) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the owner, as people and the sending platform do."""
    connection = await asyncpg.connect(environment["DATABASE_URL"])
    yield connection
    await connection.close()
