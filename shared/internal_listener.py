"""The internal listener of both services: liveness, readiness and metrics, never reachable from the internet."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared.probe import Probe

# It answers until the service is done; then only a probe can be under way.
STOP_DEADLINE_SECONDS: Final = 1

# The servers that the service cannot work without, by name.
Checks = Mapping[str, Probe]


def application(checks: Checks) -> Starlette:
    """Serve `/health/live` (the event loop turns), `/health/ready` (503 and what is missing) and `/metrics`."""

    async def live(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        found = {name: probe.reachable for name, probe in checks.items()}
        return JSONResponse(found, status_code=200 if all(found.values()) else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(_registry()), headers={"content-type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)],
    )


@contextlib.asynccontextmanager
async def serving(checks: Checks, host: str, port: int, *, shared_port: bool = False) -> AsyncIterator[None]:
    """Serve the internal listener meanwhile; with shared_port several worker processes listen on one port."""
    listener = _bind(host, port, shared_port=shared_port)
    config = uvicorn.Config(
        application(checks),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_DEADLINE_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """A server inside a service that handles the signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(host: str, port: int, *, shared_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    return listener


def _registry() -> CollectorRegistry:
    """Give this process's metrics, or those of all workers where there are several."""
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory is None:
        return REGISTRY
    for path in Path(directory).glob("gauge_live*.db"):
        worker = int(path.stem.rsplit("_", 1)[1])
        if not _runs(worker):
            # Another worker may be tidying up for its own scrape.
            with contextlib.suppress(FileNotFoundError):
                mark_process_dead(worker)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
