"""The program that docs/events.md shows, run as it stands there."""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import NAMESPACE_OID, uuid4, uuid5

import aiohttp
import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.stack import inherited_environment
from shared.partition import partition_of
from shared.topics import PARTITIONS
from tests.contract.contract import PREFIX
from tests.contract.document import DOCS
from tests.contract.examples import example_of
from tests.integration.campaigns import create_campaign
from tests.integration.environment import Environment
from tests.integration.test_webhooks import post

FAILED = "status.failed"
# Joining a group takes seconds, on a light broker up to eleven.
PRINT_DEADLINE_SECONDS = 60.0
END_DEADLINE_SECONDS = 20.0


class Subscriber:
    """The running program and the lines that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def printed(self, text: str) -> None:
        """Wait for a line that has a text in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PRINT_DEADLINE_SECONDS):
            while not any(text in line for line in self.lines):
                line = await self.process.stdout.readline()
                assert line, f"it ended after {self.lines}"
                self.lines.append(line.decode())

    async def ended(self, number: signal.Signals) -> None:
        """Ask it to end; fail unless it does so without an error."""
        self.process.send_signal(number)
        async with asyncio.timeout(END_DEADLINE_SECONDS):
            rest, _ = await self.process.communicate()
        self.lines += rest.decode().splitlines()
        assert self.process.returncode == 0, self.lines

    def times(self, text: str) -> int:
        return sum(text in line for line in self.lines)


@contextlib.asynccontextmanager
async def subscriber(environment: Environment, directory: Path) -> AsyncIterator[Subscriber]:
    """Run the program in a directory, where it keeps what it has handled."""
    (program,) = re.findall(
        r"^```python\n(.+?)^```$", (DOCS / "events.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        cwd=directory,
        env=inherited_environment() | {"KAFKA_BOOTSTRAP_SERVERS": environment["KAFKA_BOOTSTRAP_SERVERS"]},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Subscriber(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_prints_what_a_webhook_caused(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection, tmp_path: Path
) -> None:
    message_id = f"wamid.{uuid4().hex}"
    campaign_id = await create_campaign(database, [message_id])
    status = {"id": message_id, "status": "read", "timestamp": "1790812895", "recipient_id": "15550173391"}
    change = {"field": "messages", "value": {"metadata": {"phone_number_id": "1"}, "statuses": [status]}}
    body = orjson.dumps({"entry": [{"id": "w", "changes": [change]}]})
    async with subscriber(environment, tmp_path) as running:
        assert await post(http, environment, body) == 200
        await running.printed(message_id)
        assert f"{PREFIX}status.read" in next(line for line in running.lines if message_id in line)
        await running.ended(signal.SIGTERM)
    await database.execute("DELETE FROM campaign_logs WHERE id = $1", campaign_id)


@pytest.fixture
async def producer(environment: Environment) -> AsyncIterator[AIOKafkaProducer]:
    """Stand in for status_service, whose repeats only a failure would bring."""
    started = AIOKafkaProducer(bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"], acks="all")
    await started.start()
    yield started
    await started.stop()


async def test_it_prints_a_repeated_event_once_even_after_a_restart(
    environment: Environment, producer: AIOKafkaProducer, tmp_path: Path
) -> None:
    example = example_of(FAILED)
    message_id = f"wamid.{uuid4().hex}"

    async def publish(name: str) -> None:
        value = example["payload"] | {"message_id": message_id, "error": {"code": 131026, "message": name}}
        headers = example["headers"] | {"ce_id": str(uuid5(NAMESPACE_OID, f"{message_id} {name}"))}
        await producer.send_and_wait(
            f"{PREFIX}{FAILED}",
            orjson.dumps(value),
            message_id.encode(),
            partition_of(message_id.encode(), PARTITIONS),
            headers=[(header, text.encode()) for header, text in headers.items()],
        )

    async with subscriber(environment, tmp_path) as running:
        for name in ("once", "once", "twice"):
            await publish(name)
        await running.printed("twice")
        await running.ended(signal.SIGTERM)
        assert (running.times("once"), running.times("twice")) == (1, 1)
    async with subscriber(environment, tmp_path) as running:
        for name in ("once", "thrice"):
            await publish(name)
        await running.printed("thrice")
        await running.ended(signal.SIGINT)
        assert (running.times("once"), running.times("twice"), running.times("thrice")) == (0, 0, 1)
