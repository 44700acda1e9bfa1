"""A worker has so many connections, and closes those beyond them at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette

from ingest_service import protocol
from ingest_service.protocol import LimitedProtocol
from tests.integration.processes import free_port
from tests.waiting import DEADLINE_SECONDS, eventually

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Server(uvicorn.Server):
    """One that leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(protocol, "CONNECTIONS", 2)
    port = free_port()
    config = uvicorn.Config(
        Starlette(), host="127.0.0.1", port=port, http=LimitedProtocol, ws="none", lifespan="off", log_config=None
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield port
    server.should_exit = True
    await serving


async def answer(port: int, connections: list[asyncio.StreamWriter]) -> bytes:
    """Ask over a connection of its own that stays open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connections.append(writer)
    writer.write(REQUEST)
    async with asyncio.timeout(DEADLINE_SECONDS):
        with contextlib.suppress(ConnectionError):
            return await reader.read(12)
    return b""


async def test_one_too_many_is_closed_and_there_is_room_when_another_has_gone(port: int) -> None:
    opened: list[asyncio.StreamWriter] = []
    try:
        assert [await answer(port, opened) for _ in range(3)] == [b"HTTP/1.1 404", b"HTTP/1.1 404", b""]
        opened[0].close()
        await opened[0].wait_closed()
        await eventually(lambda: answer(port, opened))
    finally:
        for connection in opened:
            connection.close()
