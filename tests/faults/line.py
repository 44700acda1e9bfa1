"""A line to a server that can go dead, when nothing passes and the client is not told, or that hides a farewell."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit

from deploy.local.ports import LOOPBACK

CHUNK_BYTES = 65536


class Line:
    def __init__(self, port: int, *, farewell: bool) -> None:
        self._port = port
        self._farewell = farewell
        self._own_port = 0
        # The readers too: a connection whose reader is forgotten is closed.
        self._clients: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._servers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._pumps: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, port: int, *, farewell: bool = True) -> AsyncIterator[Self]:
        """Without a farewell nobody hears that the other end has closed the connection."""
        line = cls(port, farewell=farewell)
        server = await asyncio.start_server(line._connect, LOOPBACK, 0)
        line._own_port = server.sockets[0].getsockname()[1]
        try:
            yield line
        finally:
            server.close()
            line.go_dead()
            line.tell_server()
            for _, writer in line._clients:
                writer.transport.abort()

    def url(self, url: str) -> str:
        """Give the URL that leads over this line."""
        parts = urlsplit(url)
        login, _ = parts.netloc.rsplit("@", 1)
        return parts._replace(netloc=f"{login}@{LOOPBACK}:{self._own_port}").geturl()

    def go_dead(self) -> None:
        """Let the connections of now be dead; new ones work."""
        for pump in self._pumps:
            pump.cancel()

    def tell_server(self) -> None:
        """Let the server find them dead, as its kernel does when keepalives are not answered."""
        for _, writer in self._servers:
            writer.transport.abort()

    async def _connect(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._clients.append((from_client, to_client))
        try:
            from_server, to_server = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            to_client.close()
            return
        self._servers.append((from_server, to_server))
        for reader, writer in ((from_client, to_server), (from_server, to_client)):
            pump = asyncio.create_task(self._pump(reader, writer))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
        if self._farewell:
            writer.close()
