"""Both services on servers that a test takes away, a campaign played to them meanwhile, and the verdict in the end."""

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self

import aiohttp
import asyncpg

from deploy.local.stack import inherited_environment
from tests.conftest import ROOT
from tests.faults.databases import Database
from tests.integration.environment import Environment
from tests.integration.processes import Service, free_port, running
from tests.waiting import eventually

# Larger than the longest outage and the backlog after it.
PLAY_DEADLINE_SECONDS = 300.0
# A large campaign is thought out first, on a machine that may be busy.
START_DEADLINE_SECONDS = 60.0
# What was left in the outbox is deleted within a second, or inherited within five.
OUTBOX_DEADLINE_SECONDS = 20.0
# The tests' own questions to a service that is to be slow about nothing.
ANSWER_DEADLINE_SECONDS = 10.0
SECRET = "for-tests"
BODY = b'{"entry":[{"id":"w","changes":[{"field":"lifecycle","value":{}}]}]}'


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    seconds: float


@dataclass(slots=True)
class Pair:
    """A receiver and a consumer that run; either can have a successor."""

    ingest: Service
    status: Service
    environment: Environment
    http: aiohttp.ClientSession
    ingest_settings: dict[str, str]
    status_settings: dict[str, str]
    stack: contextlib.AsyncExitStack

    async def start_ingest(self) -> None:
        """Start a receiver on the port of the one that has ended."""
        log_file = self.ingest.log_file
        service = running("ingest_service", log_file, self.http, **self.ingest_settings)
        self.ingest = await self.stack.enter_async_context(service)

    async def start_status(self) -> None:
        log_file = self.status.log_file
        service = running("status_service", log_file, self.http, **self.status_settings)
        self.status = await self.stack.enter_async_context(service)

    async def post(self, body: bytes = BODY) -> Answer:
        """Post what concerns no message."""
        began = monotonic()
        headers = self.environment.signed(body)
        async with self.http.post(self.environment.webhook_url, data=body, headers=headers) as answer:
            return Answer(answer.status, monotonic() - began)

    async def verify(self, token: str) -> Answer:
        began = monotonic()
        query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
        async with self.http.get(self.environment.webhook_url, params=query) as answer:
            return Answer(answer.status, monotonic() - began)

    async def metric(self, service: Service, name: str) -> float:
        """Give the sum of a metric over its labels; 0 for one that was never touched."""
        async with self.http.get(f"{service.internal_url}/metrics") as answer:
            text = await answer.text()
        lines = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, lines))

    async def ready(self, service: Service) -> bool:
        async with self.http.get(f"{service.internal_url}/health/ready") as answer:
            return answer.status == 200

    async def batches(self) -> float:
        """Tell how many batches the consumer has applied."""
        return await self.metric(self.status, "status_apply_seconds_count")

    async def becomes_ready(self, service: Service, deadline_seconds: float = ANSWER_DEADLINE_SECONDS) -> None:
        await eventually(lambda: self.ready(service), deadline_seconds)

    async def becomes_unready(self, service: Service, deadline_seconds: float = ANSWER_DEADLINE_SECONDS) -> None:
        async def unready() -> bool:
            return not await self.ready(service)

        await eventually(unready, deadline_seconds)

    async def applies_more(self, deadline_seconds: float) -> None:
        """Wait until the consumer has applied a batch from now on."""
        before = await self.batches()

        async def more() -> bool:
            return await self.batches() > before

        await eventually(more, deadline_seconds)

    async def catches_up(self, deadline_seconds: float) -> None:
        """Wait until the consumer has read as many statuses as are acknowledged now."""
        acknowledged = await self.metric(self.ingest, 'ingest_records_total{topic="raw.status"}')

        async def read() -> bool:
            return await self.metric(self.status, "status_statuses_total") >= acknowledged

        await eventually(read, deadline_seconds)

    async def counts(self, service: Service, name: str, deadline_seconds: float = ANSWER_DEADLINE_SECONDS) -> None:
        """Wait until a metric is not 0."""
        await eventually(lambda: self.metric(service, name), deadline_seconds)

    async def terminates(self, service: Service, deadline_seconds: float) -> float:
        """Ask a service to end, and give the seconds it took; its exit status must be 0."""
        began = monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert await service.end() == 0
        took = monotonic() - began
        assert took < deadline_seconds
        return took

    def assignments(self) -> int:
        """Tell how often a group gave the service partitions: once, unless it threw it out."""
        lines = [line for line in self.status.log_file.read_text().splitlines() if "partitions_assigned" in line]
        return max(Counter(json.loads(line)["group"] for line in lines).values())


@contextlib.asynccontextmanager
async def services(
    http: aiohttp.ClientSession, kafka: dict[str, str], database: Database, directory: Path, **changes: str
) -> AsyncIterator[Pair]:
    """Run both; a test that loses one of them fails."""
    port = free_port()
    common = {**kafka, "META_APP_SECRETS": SECRET, "META_VERIFY_TOKENS": SECRET} | changes
    environment = Environment(
        {**common, "DATABASE_URL": database.owner, "INGEST_URL": f"http://127.0.0.1:{port}"}, directory
    )
    ingest_settings = {**common, "DATABASE_URL": database.ingest_service, "PORT": str(port)}
    status_settings = {**common, "DATABASE_URL": database.status_service}
    async with contextlib.AsyncExitStack() as stack:
        ingest, status = await asyncio.gather(
            stack.enter_async_context(running("ingest_service", directory / "ingest.log", http, **ingest_settings)),
            stack.enter_async_context(running("status_service", directory / "status.log", http, **status_settings)),
        )
        yield Pair(ingest, status, environment, http, ingest_settings, status_settings, stack)


@dataclass(slots=True)
class Load:
    """A campaign under way; its report is there when it is over."""

    report: dict[str, Any] = field(default_factory=dict)

    def answered(self, answer: str) -> int:
        """Tell how many of its webhooks were answered so."""
        return int(self.report["answers"].get(answer, 0))


class Player:
    """The Meta simulator as the independent program it is."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self._process = process
        self._directory = directory

    @classmethod
    async def start(cls, environment: Environment, options: tuple[str, ...]) -> Self:
        directory = environment.run_directory
        with (directory / "simulator.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.simulator",
                "play",
                f"--report={directory / 'report.json'}",
                "--events=at-least-once",
                f"--give-up={PLAY_DEADLINE_SECONDS}",
                "--wait=120",
                *options,
                cwd=ROOT,
                env=inherited_environment() | environment.values,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process, directory)

    @property
    def plays(self) -> bool:
        return self._process.returncode is None

    async def end(self) -> dict[str, Any]:
        """Wait for the verdict; fail unless all is as meant. Give the report."""
        async with asyncio.timeout(PLAY_DEADLINE_SECONDS):
            status = await self._process.wait()
        assert status == 0, await asyncio.to_thread((self._directory / "simulator.log").read_text)
        report: dict[str, Any] = json.loads(await asyncio.to_thread((self._directory / "report.json").read_text))
        return report

    async def kill(self) -> None:
        if self.plays:
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def load(pair: Pair, *options: str) -> AsyncIterator[Load]:
    """Play a campaign; the block begins when the consumer applies it, and must end before the play does.

    Afterwards everything that was acknowledged is in the tables, rows and counts are as the simulator meant, a
    subscriber has heard every event, nothing is left in the outbox or among the dead letters, and both services have
    got through it as the processes they were.
    """
    played = Load()
    player = await Player.start(pair.environment, options)
    try:
        await pair.counts(pair.status, "status_apply_seconds_count", START_DEADLINE_SECONDS)
        yield played
        assert player.plays, "the misfortune was to fall into the play"
        played.report = await player.end()
    finally:
        await player.kill()
    assert played.report["holds"]
    assert played.report["given_up"] == {}
    assert pair.ingest.process.returncode is None
    assert pair.status.process.returncode is None
    await outbox_is_emptied(pair.environment["DATABASE_URL"])
    assert await pair.metric(pair.status, "status_dead_letters_total") == 0
    assert await pair.ready(pair.ingest)
    assert await pair.ready(pair.status)


async def outbox_is_emptied(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, timeout=ANSWER_DEADLINE_SECONDS)
    try:

        async def emptied() -> bool:
            return not await connection.fetchval("SELECT count(*) FROM status_outbox")

        await eventually(emptied, OUTBOX_DEADLINE_SECONDS)
    finally:
        await connection.close(timeout=ANSWER_DEADLINE_SECONDS)
