"""Services of a test's own on the cluster and the database, that end in every way and are started again."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import aiohttp
import psutil

from deploy.local.recorded_process import runs
from deploy.local.stack import inherited_environment
from tests.conftest import ROOT
from tests.faults import processes
from tests.faults.databases import Database
from tests.integration.processes import free_port
from tests.waiting import eventually

# What each service promises of its end after SIGTERM.
END_SECONDS = {"ingest_service": 10.0, "status_service": 15.0}
# A member that was killed stays in the consumer group for 10 s, and whoever joins waits for that.
READY_DEADLINE_SECONDS = 45.0


class Kept:
    """A service that is started again after each of its ends; that it ends by itself is a fault."""

    def __init__(self, module: str, settings: Mapping[str, str], log_file: Path, http: aiohttp.ClientSession) -> None:
        self._module = module
        self._settings = dict(settings)
        self._log_file = log_file
        self._http = http
        self._process: asyncio.subprocess.Process | None = None
        self.internal_url = ""

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, f"{self._module} was not started"
        return self._process

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, and do not wait until it is ready."""
        port = free_port()
        self.internal_url = f"http://127.0.0.1:{port}"
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                cwd=ROOT,
                env={
                    **inherited_environment(),
                    # What a killed service leaves behind goes with the test.
                    "TMPDIR": str(self._log_file.parent),
                    "HOST": "127.0.0.1",
                    **self._settings,
                    "INTERNAL_PORT": str(port),
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def ready(self) -> None:
        async def answers() -> bool:
            assert self.runs, f"it ended by itself; see {self._log_file}"
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with self._http.get(f"{self.internal_url}/health/ready") as answer:
                    return answer.status == 200
            return False

        await eventually(answers, READY_DEADLINE_SECONDS)

    async def kill(self) -> None:
        """Kill it with kill -9, and with it what it has started."""
        assert self.runs, f"it ended by itself; see {self._log_file}"
        await asyncio.to_thread(processes.kill, self.process.pid)
        await self.process.wait()

    async def kill_parent(self) -> None:
        """Kill the process that was started, and leave its workers to themselves."""
        assert self.runs, f"it ended by itself; see {self._log_file}"
        self.process.kill()
        await self.process.wait()

    def workers(self) -> list[psutil.Process]:
        # multiprocessing keeps a process beside the workers, for what they share.
        children = [child for child in psutil.Process(self.process.pid).children() if runs(child)]
        return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]

    async def terminate(self) -> float:
        """End it with SIGTERM: cleanly, within what it promises. Give the seconds that it took."""
        assert self.runs, f"it ended by itself; see {self._log_file}"
        began = monotonic()
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(END_SECONDS[self._module]):
            assert await self.process.wait() == 0, f"see {self._log_file}"
        return monotonic() - began

    async def end(self) -> int:
        """Wait until it ends by itself, and give its exit status."""
        async with asyncio.timeout(READY_DEADLINE_SECONDS):
            return await self.process.wait()


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the services of a test meet: topics, consumer group, tables and port are its own."""

    settings: Mapping[str, str]
    database: Database
    directory: Path
    http: aiohttp.ClientSession

    @property
    def log_file(self) -> Path:
        return self.directory / "services.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['PORT']}"

    @contextlib.asynccontextmanager
    async def service(self, module: str, **settings: str) -> AsyncIterator[Kept]:
        """Give a service that is not started yet; it does not outlive the block."""
        urls = {"ingest_service": self.database.ingest_service}
        database_url = urls.get(module, self.database.status_service)
        given = {**self.settings, "DATABASE_URL": database_url, **settings}
        kept = Kept(module, given, self.log_file, self.http)
        try:
            yield kept
        finally:
            if kept.runs:
                await kept.kill()

    @contextlib.asynccontextmanager
    async def running(self, module: str, **settings: str) -> AsyncIterator[Kept]:
        """Give a service that is ready."""
        async with self.service(module, **settings) as kept:
            await kept.start()
            await kept.ready()
            yield kept
