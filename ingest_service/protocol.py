"""uvicorn's HTTP protocol with the limits that it does not have: for connections, headers, and webhooks at once.

Whoever connects and says nothing, or says it byte by byte, or never ends its headers, is sent away.
"""

import asyncio
import resource
from functools import cache
from http import HTTPStatus
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ingest_service import metrics
from ingest_service.deadlines import Deadlines
from ingest_service.places import Places
from ingest_service.receiver import Outcome

# Meta's headers are below 1 KB; a proxy in front adds some.
HEADER_BYTES: Final = 16 * 1024
HEADER_SECONDS: Final = 5.0
# Requests on a connection that did not wait for the answer to the one before.
PIPELINED: Final = 8
# An answer that nobody takes for so long ends its connection.
UNREAD_SECONDS: Final = 10.0
# Of a worker. Above the webhooks that are let in at once, and those of Meta's connections that are idle.
CONNECTIONS: Final = 10_000
# Beside them: Kafka's, PostgreSQL's, the internal listener's, and files.
FURTHER_FILES: Final = 500

WEBHOOK_PATH: Final = "/webhooks/meta"

# Of a worker: its event loop is the only one.
PLACES: Final = Places()
_deadlines: Final = Deadlines()

OVERLOADED: Final = Outcome.OVERLOADED
TURNED_AWAY: Final = STATUS_LINE[OVERLOADED.status] + b"".join(b"%b: %b\r\n" % header for header in OVERLOADED.headers)


def allow_connections() -> None:
    """Have as many files open as there may be connections: where 1024 is the custom, slow clients would use them up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + FURTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    # Infinity is a negative number.
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@cache
def most_connections() -> int:
    """Give what this process may have, so that there are always files for the rest of it."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if soft < 0 else min(CONNECTIONS, max(soft - FURTHER_FILES, soft // 2))


class TooLargeError(Exception):
    """Complete headers are over HEADER_BYTES."""


class TooManyError(Exception):
    """More requests than PIPELINED wait for their turn."""


class _Dropped(list[tuple[bytes, bytes]]):
    """What uvicorn appends a chunked body's trailers to: they are no headers, and have no limit."""

    def append(self, _trailer: tuple[bytes, bytes]) -> None:
        pass


class LimitedProtocol(HttpToolsProtocol):
    """A connection; while it owes us a request's headers, `at` is when its time is up."""

    at = 0.0
    _in_headers = False
    _waited_for = False
    # Of headers that come in pieces, without a piece that holds something else too. How many begin in the present one.
    _received = 0
    _begun = 0
    _large_piece = False
    _too_large = False
    _turned_away = False
    # Those whose turn has not come, but the last.
    _earlier: tuple[RequestResponseCycle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            metrics.CONNECTIONS_REFUSED.labels("too_many").inc()
            transport.abort()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        # uvicorn tells only the last request that its connection is gone, and forgets its timer only after a farewell.
        for cycle in self._earlier:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.scope if self._in_headers else None
        was_idle = not (self._in_headers or self._answering)
        self._begun = 0
        self._large_piece = len(data) > HEADER_BYTES
        super().data_received(data)
        if self._turned_away:
            self._turn_away(b"connection: close\r\n")
            self.transport.close()
            return
        # Between two requests there may be empty lines, for which uvicorn forgets its own timer.
        if self._in_headers or not self._answering:
            if self.scope is before or (was_idle and self._begun <= 1):
                self._received += len(data)
            if self._received > HEADER_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")
            elif not self._waited_for:
                self._wait()

    def on_message_begin(self) -> None:
        if len(self.pipeline) > PIPELINED:
            raise TooManyError
        self._in_headers = True
        self._begun += 1
        self._received = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._wait_no_more()
        # A piece is up to 256 KB; only in a large one can there be headers that are complete and too large.
        if self._large_piece and self._header_bytes() > HEADER_BYTES:
            self._too_large = True
            raise TooLargeError
        if PLACES.are_taken and not self._answering and self._is_webhook():
            self._turned_away = True
            return
        if self._answering:
            self._earlier = (*(cycle for cycle in self._earlier if not cycle.response_complete), self.cycle)
        super().on_headers_complete()
        self.headers = _Dropped()

    def on_body(self, body: bytes) -> None:
        if not self._turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._turned_away:
            self._turn_away(b"")
            # The connection is good for the next one.
            self.on_response_complete()
        else:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and what the callbacks above have raised for."""
        if self._too_large:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")
        else:
            metrics.CONNECTIONS_REFUSED.labels("malformed").inc()
            super().send_400_response(msg)

    def pass_(self) -> None:
        """Send away whose time is up; while an answer is under way it is we who do not read on."""
        if self._answering:
            self._wait()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "headers_too_slow")

    @property
    def _answering(self) -> bool:
        # Before its first request a connection has no cycle, whatever uvicorn's annotation says.
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]

    def _is_webhook(self) -> bool:
        return self.url == WEBHOOK_PATH.encode() and self.parser.get_method() == b"POST"

    def _turn_away(self, header: bytes) -> None:
        """Refuse a webhook unread and unverified: the application would take three times as long to say the same.

        Where too much comes, refusing it would be all that there is time for.
        """
        self._turned_away = False
        OVERLOADED.counter.inc()
        self.transport.write(TURNED_AWAY + header + b"\r\n" + OVERLOADED.text)

    def _header_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _wait(self) -> None:
        self._waited_for = True
        self.at = self.loop.time() + HEADER_SECONDS
        _deadlines.add(self)

    def _wait_no_more(self) -> None:
        if self._waited_for:
            self._waited_for = False
            _deadlines.remove(self)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._wait_no_more()
        if self.transport.is_closing():
            return
        metrics.CONNECTIONS_REFUSED.labels(reason).inc()
        if self._answering:
            # The answer to the request before is the last.
            self.flow.pause_reading()
            self.cycle.keep_alive = False
            return
        self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
