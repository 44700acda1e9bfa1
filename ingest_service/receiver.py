"""The hot path: one webhook from its headers to its answer.

A plain ASGI endpoint. Whatever can be refused from the headers is refused before the body is read; a complete body
with a valid signature is never refused for its contents.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from time import perf_counter
from typing import Final

from starlette.types import Receive, Scope, Send

from ingest_service import metrics
from ingest_service.deadlines import Deadline, Deadlines
from ingest_service.signature import SignatureFault, matching_secret, presented
from shared.envelope import split
from shared.publisher import NotPublishedError, Publisher
from shared.raw import rfc3339_now

# After a refusal the rest of the body is read and dropped for a moment: a connection closed while the client is
# still sending is reset, and the reset can overtake our answer.
LINGER_SECONDS: Final = 1.0
# Meta repeats with growing pauses of its own; other clients may look at this.
RETRY_AFTER_SECONDS: Final = b"5"

Headers = list[tuple[bytes, bytes]]


class Outcome(Enum):
    """What becomes of a webhook: metric label, HTTP status, text of the answer."""

    ACKNOWLEDGED = ("acknowledged", 200, b"")
    BROKEN_OFF = ("broken_off", 400, b"the request broke off\n")
    SIGNATURE_REFUSED = ("signature_refused", 401, b"the signature is missing or wrong\n")
    TOO_SLOW = ("too_slow", 408, b"the body took too long\n")
    TOO_LARGE = ("too_large", 413, b"the body is too large\n")
    ENCODED = ("encoded", 415, b"content encodings are not supported\n")
    NOT_PUBLISHED = ("not_published", 503, b"not stored yet, send it again\n")
    OVERLOADED = ("overloaded", 503, b"too much in flight, send it again\n")

    def __init__(self, label: str, status: int, text: bytes) -> None:
        self.status = status
        self.text = text
        self.headers: Headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
        ]
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers.append((b"retry-after", RETRY_AFTER_SECONDS))
        self.counter = metrics.ANSWERS.labels(label)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker takes at once: bytes of a body, seconds, webhooks and bytes in flight."""

    body_bytes: int
    body_seconds: float
    publish_seconds: float
    requests_in_flight: int
    bytes_in_flight: int


class Receiver:
    """Answers `POST /webhooks/meta`."""

    def __init__(self, secrets: Sequence[bytes], publisher: Publisher, limits: Limits) -> None:
        self._secrets = secrets
        self._signatures = [metrics.SIGNATURES.labels(position) for position in range(len(secrets))]
        self._deadlines = Deadlines()
        self._publisher = publisher
        self._limits = limits
        self._requests = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        self._requests += 1
        metrics.IN_FLIGHT.inc()
        chunks: list[bytes] = []
        try:
            outcome, complete = await self._handle(scope["headers"], receive, chunks)
            # A body that was not read to its end stands in the way of the connection's next request.
            await _answer(outcome, send, close=not complete)
        finally:
            self._requests -= 1
            self._bytes -= sum(map(len, chunks))
            metrics.IN_FLIGHT.dec()
        outcome.counter.inc()
        metrics.ANSWER_LATENCY.observe(perf_counter() - started)
        if not complete:
            await _linger(receive, send)

    async def _handle(self, headers: Headers, receive: Receive, chunks: list[bytes]) -> tuple[Outcome, bool]:
        """Give the outcome, and whether the body was read to its end."""
        signature = presented(headers)
        if isinstance(signature, SignatureFault):
            metrics.SIGNATURE_FAULTS.labels(signature).inc()
            return Outcome.SIGNATURE_REFUSED, False
        refusal = self._refusal(headers)
        if refusal is not None:
            return refusal, False
        complete = False
        try:
            with Deadline(self._deadlines, self._limits.body_seconds) as deadline:
                refusal = await self._read(receive, chunks)
                if refusal is not None:
                    return refusal, False
                complete = True
                deadline.renew(self._limits.publish_seconds)
                return await self._accept(b"".join(chunks), signature), True
        except TimeoutError:
            return (Outcome.NOT_PUBLISHED, True) if complete else (Outcome.TOO_SLOW, False)

    def _refusal(self, headers: Headers) -> Outcome | None:
        """Judge a webhook by its headers and by what is in flight already."""
        for name, value in headers:
            if name == b"content-encoding" and value.lower() != b"identity":
                return Outcome.ENCODED
            if name == b"content-length" and int(value) > self._limits.body_bytes:
                return Outcome.TOO_LARGE
        return Outcome.OVERLOADED if self._requests > self._limits.requests_in_flight else None

    async def _read(self, receive: Receive, chunks: list[bytes]) -> Outcome | None:
        """Read the whole body into chunks, or say why not."""
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return Outcome.BROKEN_OFF
            chunk: bytes = message["body"]
            size += len(chunk)
            if size > self._limits.body_bytes:
                return Outcome.TOO_LARGE
            if self._bytes + len(chunk) > self._limits.bytes_in_flight:
                return Outcome.OVERLOADED
            chunks.append(chunk)
            self._bytes += len(chunk)
            if not message.get("more_body", False):
                return None

    async def _accept(self, body: bytes, signature: bytes) -> Outcome:
        """Verify, split and publish a complete body."""
        position = matching_secret(body, signature, self._secrets)
        if position is None:
            metrics.SIGNATURE_FAULTS.labels(SignatureFault.MISMATCH).inc()
            return Outcome.SIGNATURE_REFUSED
        self._signatures[position].inc()
        records = split(body, rfc3339_now())
        try:
            await self._publisher.publish(records)
        except NotPublishedError:
            return Outcome.NOT_PUBLISHED
        return Outcome.ACKNOWLEDGED


async def _answer(outcome: Outcome, send: Send, *, close: bool) -> None:
    """Send the answer; a connection that is to be closed is left to _linger."""
    headers = [*outcome.headers, (b"connection", b"close")] if close else outcome.headers
    await send({"type": "http.response.start", "status": outcome.status, "headers": headers})
    await send({"type": "http.response.body", "body": outcome.text, "more_body": close})


async def _linger(receive: Receive, send: Send) -> None:
    """Read and drop what the client still sends, for a moment, before its connection is closed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    await send({"type": "http.response.body", "body": b""})
