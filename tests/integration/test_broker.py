"""What the broker itself must survive for us."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from deploy.local.stack import Stack
from tests.integration.environment import Environment
from tests.integration.simulator import play
from tests.waiting import eventually


@pytest.mark.slow
async def test_acknowledged_records_survive_kill_9_of_the_broker(
    stack: Stack, environment: Environment, database: asyncpg.Connection, tmp_path: Path
) -> None:
    before = await database.fetchval("SELECT count(*) FROM message_logs WHERE status <> 'pending'")

    async def some_applied() -> bool:
        return bool(await database.fetchval("SELECT count(*) > $1 FROM message_logs WHERE status <> 'pending'", before))

    playing = asyncio.create_task(
        play(environment, tmp_path / "report", "--recipients=1000", "--rate=100", "--max-statuses=20", "--seed=4")
    )
    await eventually(some_applied)
    broker = stack.broker.pid
    assert broker is not None
    os.kill(broker, signal.SIGKILL)
    await asyncio.to_thread(stack.start_broker)
    report = await playing
    assert report["holds"]
    assert stack.broker.pid != broker
