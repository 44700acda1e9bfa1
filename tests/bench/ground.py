"""Where benchmarks are run: PostgreSQL and a broker of their own, and the services as processes with settings."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from deploy.local.broker_choice import broker_kind
from deploy.local.postgres import SETTINGS
from deploy.local.services import PROGRAMS, Programs
from deploy.local.stack import Stack, inherited_environment
from tests.conftest import ROOT, as_role, create_database, drop_database
from tests.integration.processes import free_port, start
from tests.waiting import eventually

START_DEADLINE_SECONDS = 60.0
END_DEADLINE_SECONDS = 30.0
APP_SECRET = "a-secret-of-the-benchmark"
PARTITIONS = 12
# A quarter of a small server's memory, as PostgreSQL's documentation advises; its default of 128 MB is for no server.
SHARED_BUFFERS = "1GB"


@dataclass(frozen=True, slots=True)
class Place:
    """A database with our schema and topics of its own; `settings` are what both services need to work there."""

    owner_url: str
    settings: Mapping[str, str]
    directory: Path

    def topic(self, suffix: str) -> str:
        return self.settings["TOPIC_PREFIX"] + suffix


@dataclass(frozen=True, slots=True)
class Ground:
    """The running servers."""

    stack: Stack
    directory: Path
    http: aiohttp.ClientSession

    @contextlib.asynccontextmanager
    async def place(self, name: str) -> AsyncIterator[Place]:
        """Create a database and topics with the name as their prefix; the database is dropped afterwards."""
        database = await asyncio.to_thread(create_database, self.stack.postgres)
        owner_url = self.stack.postgres.url(database)
        try:
            await run_command("schema", "migrate", DATABASE_URL=owner_url)
            settings = {
                "KAFKA_BOOTSTRAP_SERVERS": self.stack.bootstrap_servers,
                "DATABASE_URL": as_role(owner_url, "status_service"),
                "TOPIC_PREFIX": f"{name}.",
                "TOPIC_PARTITIONS": str(PARTITIONS),
                "TOPIC_REPLICATION": "1",
                "CONSUMER_GROUP": name,
                "META_APP_SECRETS": APP_SECRET,
                "META_VERIFY_TOKENS": "a-token-of-the-benchmark",
            }
            await run_command("status_service", "topics", **settings)
            yield Place(owner_url, settings, self.directory)
        finally:
            await asyncio.to_thread(drop_database, self.stack.postgres, database)

    @contextlib.asynccontextmanager
    async def service(self, module: str, place: Place, **changes: str) -> AsyncIterator["Service"]:
        """Run a service until the block ends; it is ready when the block begins."""
        port = free_port()
        settings = {**place.settings, "INTERNAL_PORT": str(port), "LOG_LEVEL": "WARNING", **changes}
        if module == "ingest_service" and "DATABASE_URL" not in changes:
            # Its role is another, and only the verification of an address needs it.
            del settings["DATABASE_URL"]
        async with process(self.directory / "services.log", module, **settings) as running:
            service = Service(running, f"http://127.0.0.1:{port}", self.http)
            await eventually(service.ready, START_DEADLINE_SECONDS)
            yield service


@dataclass(frozen=True, slots=True)
class Service:
    process: psutil.Process
    internal_url: str
    http: aiohttp.ClientSession

    async def ready(self) -> bool:
        assert self.process.is_running(), "the service ended while it was starting"
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with self.http.get(f"{self.internal_url}/health/ready") as answer:
                return answer.status == 200
        return False


@contextlib.asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Start PostgreSQL and the broker that BROKER asks for, in a directory that goes with them."""
    programs = Programs(PROGRAMS.migrate, PROGRAMS.topics, ())
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _traversable(Path(name)) as directory:
        stack = Stack(
            directory / "run",
            broker_kind(os.environ.get("BROKER")),
            programs=programs,
            postgres_settings=SETTINGS | {"shared_buffers": SHARED_BUFFERS},
            report=_tell,
        )
        await asyncio.to_thread(stack.up)
        try:
            async with aiohttp.ClientSession() as http:
                yield Ground(stack, directory, http)
        finally:
            await asyncio.to_thread(stack.down)


@contextlib.asynccontextmanager
async def process(log_file: Path, module: str, *arguments: str, **settings: str) -> AsyncIterator[psutil.Process]:
    """Run a module as a process of its own until the block ends."""
    with log_file.open("ab") as log:
        started = await start(module, arguments, settings, log.fileno())
    try:
        yield psutil.Process(started.pid)
    finally:
        if started.returncode is None:
            started.terminate()
            try:
                async with asyncio.timeout(END_DEADLINE_SECONDS):
                    await started.wait()
            except TimeoutError:
                started.kill()
                await started.wait()


async def run_command(module: str, *arguments: str, **settings: str) -> bytes:
    """Run a module to its end and give what it wrote on standard output."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        env=inherited_environment() | settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await started.communicate()
    assert started.returncode == 0, f"{module} {' '.join(arguments)} ended with {started.returncode}"
    return output


@contextlib.contextmanager
def _traversable(directory: Path) -> Iterator[Path]:
    # PostgreSQL does not run as root; another user must reach its data below.
    directory.chmod(0o755)
    yield directory


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
