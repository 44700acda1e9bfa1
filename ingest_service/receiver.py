"""The hot path: one webhook from its headers to its answer.

A plain ASGI endpoint. Whatever can be refused from the headers is refused before the body is read; a complete body
with a valid signature is never refused for its contents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from time import monotonic, perf_counter

from starlette.types import Receive, Scope, Send

from ingest_service import metrics
from ingest_service.answers import CLOSE, headers_of, linger
from ingest_service.client_identity import ClientIdentity
from ingest_service.deadlines import Deadline, Deadlines
from ingest_service.places import Places
from ingest_service.signature import SignatureFault, matching_secret, presented
from shared.envelope import split
from shared.publisher import NotPublishedError, Publisher
from shared.raw import rfc3339_now


class Outcome(Enum):
    """What becomes of a webhook: metric label, HTTP status, text of the answer."""

    ACKNOWLEDGED = ("acknowledged", 200, b"")
    BROKEN_OFF = ("broken_off", 400, b"the request broke off\n")
    IDENTITY_REFUSED = ("identity_refused", 403, b"the client certificate is missing or not Meta's\n")
    SIGNATURE_REFUSED = ("signature_refused", 401, b"the signature is missing or wrong\n")
    TOO_SLOW = ("too_slow", 408, b"the body took too long\n")
    TOO_LARGE = ("too_large", 413, b"the body is too large\n")
    ENCODED = ("encoded", 415, b"content encodings are not supported\n")
    NOT_PUBLISHED = ("not_published", 503, b"not stored yet, send it again\n")
    OVERLOADED = ("overloaded", 503, b"too much in flight, send it again\n")

    def __init__(self, label: str, status: int, text: bytes) -> None:
        self.status = status
        self.text = text
        self.headers = headers_of(status, text)
        self.counter = metrics.ANSWERS.labels(label)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker takes: bytes of a body, seconds, bytes of all bodies at once."""

    body_bytes: int
    body_seconds: float
    body_pause_seconds: float
    publish_seconds: float
    bytes_in_flight: int


class Receiver:
    """Answers `POST /webhooks/meta`."""

    def __init__(
        self,
        secrets: Sequence[bytes],
        publisher: Publisher,
        limits: Limits,
        places: Places,
        identity: ClientIdentity | None,
    ) -> None:
        self.use(secrets)
        self._identity = identity
        self._deadlines = Deadlines()
        self._publisher = publisher
        self._limits = limits
        self._places = places
        self._bytes = 0

    def use(self, secrets: Sequence[bytes]) -> None:
        """Know these app secrets from now on."""
        self._secrets = secrets
        self._signatures = [metrics.SIGNATURES.labels(position) for position in range(len(secrets))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        metrics.IN_FLIGHT.inc()
        chunks: list[bytes] = []
        try:
            outcome, complete = await self._handle(scope, receive, chunks)
            # A body that was not read to its end stands in the way of the connection's next request. And who cannot
            # sign has no business here: idle connections are for those who can.
            close = not complete or outcome is Outcome.SIGNATURE_REFUSED
            await send(
                {
                    "type": "http.response.start",
                    "status": outcome.status,
                    "headers": [*outcome.headers, CLOSE] if close else outcome.headers,
                }
            )
            await send({"type": "http.response.body", "body": outcome.text, "more_body": not complete})
        finally:
            self._bytes -= sum(map(len, chunks))
            metrics.IN_FLIGHT.dec()
        outcome.counter.inc()
        metrics.ANSWER_LATENCY.observe(perf_counter() - started)
        if not complete:
            await linger(receive, send)

    async def _handle(self, scope: Scope, receive: Receive, chunks: list[bytes]) -> tuple[Outcome, bool]:
        """Give the outcome, and whether the body was read to its end."""
        signature = self._admitted(scope)
        if isinstance(signature, Outcome):
            return signature, False
        complete = False
        try:
            with Deadline(self._deadlines, self._limits.body_pause_seconds) as deadline:
                refusal = await self._read(receive, chunks, deadline)
                if refusal is not None:
                    return refusal, False
                complete = True
                deadline.renew(self._limits.publish_seconds)
                return await self._accept(b"".join(chunks), signature), True
        except TimeoutError:
            return (Outcome.NOT_PUBLISHED, True) if complete else (Outcome.TOO_SLOW, False)

    def _admitted(self, scope: Scope) -> bytes | Outcome:
        """Judge a webhook by its headers: give the signature that its body has to have, or the refusal."""
        if self._identity is not None and not self._identity.is_shown(scope):
            return Outcome.IDENTITY_REFUSED
        headers = scope["headers"]
        signature = presented(headers)
        if isinstance(signature, SignatureFault):
            metrics.SIGNATURE_FAULTS.labels(signature).inc()
            return Outcome.SIGNATURE_REFUSED
        for name, value in headers:
            if name == b"content-encoding" and value.lower() != b"identity":
                return Outcome.ENCODED
            if name == b"content-length" and int(value) > self._limits.body_bytes:
                return Outcome.TOO_LARGE
        return signature

    async def _read(self, receive: Receive, chunks: list[bytes], deadline: Deadline) -> Outcome | None:
        """Read the whole body into chunks, or say why not; the deadline moves on while it comes."""
        end = monotonic() + self._limits.body_seconds
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
            deadline.renew(min(self._limits.body_pause_seconds, end - monotonic()))

    async def _accept(self, body: bytes, signature: bytes) -> Outcome:
        """Verify, split and publish a complete body."""
        position = matching_secret(body, signature, self._secrets)
        if position is None:
            metrics.SIGNATURE_FAULTS.labels(SignatureFault.MISMATCH).inc()
            return Outcome.SIGNATURE_REFUSED
        self._signatures[position].inc()
        # Only what is signed takes a place, so that strangers cannot take those of who can sign.
        if not self._places.take():
            return Outcome.OVERLOADED
        try:
            await self._publisher.publish(split(body, rfc3339_now()))
        except NotPublishedError:
            return Outcome.NOT_PUBLISHED
        finally:
            self._places.leave()
        return Outcome.ACKNOWLEDGED
