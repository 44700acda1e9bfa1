"""How requests are answered that are ours to answer by hand, and how a connection is closed after it."""

import asyncio
import contextlib
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Scope, Send

# After a refusal the rest of the body is read and dropped for a moment: a connection closed while the client is
# still sending is reset, and the reset can overtake our answer.
LINGER_SECONDS: Final = 1.0
# Meta repeats with growing pauses of its own; other clients may look at this.
RETRY_AFTER_SECONDS: Final = b"5"
CLOSE: Final = (b"connection", b"close")

Headers = list[tuple[bytes, bytes]]


def headers_of(status: int, text: bytes) -> Headers:
    headers: Headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", RETRY_AFTER_SECONDS))
    return headers


class Refusal:
    """An answer to what is none of ours. A body may come with it that has no end, so the connection is closed."""

    def __init__(self, status: HTTPStatus, *headers: tuple[bytes, bytes]) -> None:
        self._status = status.value
        self._text = f"{status.phrase.lower()}\n".encode()
        self._headers = [*headers_of(self._status, self._text), *headers, CLOSE]

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._text, "more_body": True})
        await linger(receive, send)


async def linger(receive: Receive, send: Send) -> None:
    """Read and drop what the client still sends, for a moment, before its connection is closed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    await send({"type": "http.response.body", "body": b""})
