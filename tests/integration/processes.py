"""A service as a process of its own, with the settings a test wants."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp

from deploy.local.stack import inherited_environment
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
# A service promises 10 s (receiver) or 15 s (consumer) for its end; what is above is a failure.
END_DEADLINE_SECONDS = 20.0
METRICS_TIMEOUT = aiohttp.ClientTimeout(total=2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def run_to_end(module: str, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run a service or command until it ends by itself; give its exit status and everything it wrote."""
    process = await start(module, arguments, settings, asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


class Service:
    """A running service; its internal listener answers."""

    def __init__(self, process: asyncio.subprocess.Process, internal_url: str, log_file: Path) -> None:
        self.process = process
        self.internal_url = internal_url
        self.log_file = log_file

    async def end(self) -> int:
        """Wait for its end and give its exit status."""
        async with asyncio.timeout(END_DEADLINE_SECONDS):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def running(module: str, log_file: Path, http: aiohttp.ClientSession, **settings: str) -> AsyncIterator[Service]:
    """Run a service until it is ready, and end it if the test has not."""
    port = free_port()
    with log_file.open("ab") as log:
        process = await start(module, (), settings | {"INTERNAL_PORT": str(port)}, log.fileno())
    service = Service(process, f"http://127.0.0.1:{port}", log_file)

    async def ready() -> bool:
        assert process.returncode is None, f"it ended; see {log_file}"
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with http.get(f"{service.internal_url}/health/ready") as answer:
                return answer.status == 200
        return False

    try:
        await eventually(ready)
        yield service
        if process.returncode is None:
            await _keep_metrics(service, http)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _keep_metrics(service: Service, http: aiohttp.ClientSession) -> None:
    """Write the metrics beside the log: the whole run's are read in the end."""
    # What hangs, or is about to end, has none to give.
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with http.get(f"{service.internal_url}/metrics", timeout=METRICS_TIMEOUT) as answer:
            with service.log_file.with_suffix(".metrics").open("ab") as metrics:
                metrics.write(await answer.read())


async def start(
    module: str, arguments: tuple[str, ...], settings: Mapping[str, str], output: int
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        env=inherited_environment() | {"HOST": "127.0.0.1", **settings},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
