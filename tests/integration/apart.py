"""A database and topics of a test's own on the running stack, and what works on them as processes of their own."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
from aiokafka import ConsumerRecord

from deploy.local.stack import Stack
from tests.conftest import ROOT, create_database, drop_database
from tests.integration import kafka_records
from tests.integration.kafka_records import Given, Place
from tests.integration.processes import END_DEADLINE_SECONDS, Service, free_port, run_to_end, running, start
from tests.waiting import eventually

EVENT_TOPICS = ("status.sent", "status.delivered", "status.read", "status.failed", "unmatched")


@dataclass(frozen=True, slots=True)
class Apart:
    """Where they are; `settings` are those of the service's own role, the connection is the owner's."""

    database: asyncpg.Connection
    owner_url: str
    settings: dict[str, str]
    log_file: Path

    @property
    def bootstrap_servers(self) -> str:
        return self.settings["KAFKA_BOOTSTRAP_SERVERS"]

    def topic(self, suffix: str) -> str:
        return self.settings["TOPIC_PREFIX"] + suffix

    @contextlib.asynccontextmanager
    async def service(self, http: aiohttp.ClientSession, **changes: str) -> AsyncIterator[Service]:
        """Run the service meanwhile; it ends as a platform ends it, so that it leaves nothing for the next one."""
        async with running("status_service", self.log_file, http, **self.settings | changes) as service:
            yield service
            service.process.send_signal(signal.SIGTERM)
            assert await service.end() == 0
        assert b"wamid" not in await asyncio.to_thread(self.log_file.read_bytes), "a message id holds a phone number"

    async def service_to_end(self, **changes: str) -> tuple[int, str]:
        """Run the service until it ends by itself."""
        return await run_to_end("status_service", **self.settings | {"INTERNAL_PORT": str(free_port())} | changes)

    async def command(self, *arguments: str, expected: int = 0, **changes: str) -> str:
        """Run a command and give what it says."""
        status, output = await run_to_end("status_service", *arguments, **self.settings | changes)
        assert status == expected, output
        assert "wamid" not in output, "a message id holds a phone number"
        return output

    async def interrupted(self, *arguments: str, once: Callable[[], Awaitable[Any]], **changes: str) -> str:
        """Run a command, press Ctrl-C once something is true, and give what it says."""
        process = await start("status_service", arguments, self.settings | changes, asyncio.subprocess.PIPE)
        try:
            await eventually(once)
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(END_DEADLINE_SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 130, output.decode()
        return output.decode()

    async def produce(self, suffix: str, given: Sequence[Given], partition: int | None = None) -> list[Place]:
        return await kafka_records.produce(self.bootstrap_servers, self.topic(suffix), given, partition)

    async def records(self, *suffixes: str) -> list[ConsumerRecord]:
        """Give everything that is on these topics."""
        return await kafka_records.read_whole(self.bootstrap_servers, [self.topic(suffix) for suffix in suffixes])

    async def settled(self, group: str | None = None) -> None:
        """Wait until the service is done with everything in raw.status, letters and events included."""
        topic = self.topic("raw.status")
        await kafka_records.committed_to_the_end(
            self.bootstrap_servers, group or self.settings["CONSUMER_GROUP"], topic
        )

    async def rows(self, table: str) -> dict[Any, Any]:
        """Give a table's rows by their first column, and the version of each: another one if somebody wrote it."""
        rows = await self.database.fetch(f"SELECT *, xmin::text, ctid::text FROM {table}")
        return {row[0]: tuple(row) for row in rows}


@contextlib.asynccontextmanager
async def apart(stack: Stack, name: str, directory: Path, **settings: str) -> AsyncIterator[Apart]:
    """Create a database with our schema, and topics of three partitions with the name as their prefix."""
    database_name = await asyncio.to_thread(create_database, stack.postgres)
    owner_url = stack.postgres.url(database_name)
    given = {
        "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "DATABASE_URL": _as_the_service(stack, owner_url),
        "TOPIC_PREFIX": f"{name}.",
        "TOPIC_PARTITIONS": "3",
        "TOPIC_REPLICATION": "1",
        "CONSUMER_GROUP": name,
    } | settings
    try:
        created, _ = await asyncio.gather(run_to_end("status_service", "topics", **given), _migrate(owner_url))
        assert created[0] == 0, created[1]
        database = await asyncpg.connect(owner_url)
        try:
            yield Apart(database, owner_url, given, directory / "services.log")
        finally:
            await database.close()
    finally:
        await asyncio.to_thread(drop_database, stack.postgres, database_name)


def _as_the_service(stack: Stack, owner_url: str) -> str:
    """Log in as the role that the stack's own service has."""
    parts = urlsplit(owner_url)
    password = stack.directory.secret("status_service")
    return parts._replace(netloc=f"status_service:{password}@{parts.hostname}:{parts.port}").geturl()


async def _migrate(owner_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schema", "migrate", cwd=ROOT, env=os.environ | {"DATABASE_URL": owner_url}
    )
    assert await process.wait() == 0
