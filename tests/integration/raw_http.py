"""HTTP by hand, for requests that no client library would send."""

import asyncio
import contextlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from tests.waiting import DEADLINE_SECONDS


async def exchange(url: str, request: bytes, *, then: bytes = b"", end: bool = False) -> bytes:
    """Send bytes and give everything that comes back until the server closes; `end` closes our side first."""
    parts = urlsplit(url)
    async with asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(request)
            await writer.drain()
            if then:
                writer.write(then)
                await writer.drain()
            if end:
                writer.write_eof()
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


async def trickled(url: str, request: bytes, then: Sequence[bytes], pause_seconds: float) -> bytes:
    """Send bytes, and others piece by piece, until the server has answered and closed; give what came back."""
    parts = urlsplit(url)
    async with asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            answer = asyncio.create_task(reader.read())
            writer.write(request)
            for piece in then:
                await asyncio.wait([answer], timeout=pause_seconds)
                if answer.done():
                    break
                writer.write(piece)
            return await answer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def request(*headers: str, body: bytes = b"", length: int | None = None) -> bytes:
    """Write a webhook's POST; the connection closes after the answer."""
    lines = ["POST /webhooks/meta HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if length is not None or not any(line.lower().startswith("transfer-encoding") for line in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
