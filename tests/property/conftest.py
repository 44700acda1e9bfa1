"""The world that events and parked statuses are held against."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from tests.property.world import World
from tests.unpublished import unpublished


@pytest.fixture(scope="module")
def world(migrated_database: str, status_service_database: str) -> Iterator[World]:
    with asyncio.Runner() as runner:
        platform = runner.run(asyncpg.connect(migrated_database))
        opened = unpublished(status_service_database)
        yield World(runner, runner.run(opened.__aenter__()), platform)
        runner.run(opened.__aexit__(None, None, None))
        runner.run(platform.close())
