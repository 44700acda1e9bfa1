"""`python -m tests.bench.load`: signed webhooks over kept connections, and how they were answered.

A process of its own that does as little as it can for a request: what it takes is not there for what it measures. It
writes an `Answered` as one line of JSON. Closed loop: every connection has one webhook under way. Open loop, with
`--rate`: webhooks are due at even distances whatever was answered, and latency counts from the moment one was due.
"""

import asyncio
import contextlib
import gc
import re
import sys
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from time import perf_counter, process_time
from typing import Annotated, cast

import orjson
import typer
import uvloop

from tests.bench.signed_webhooks import Requests

# Open loop: how often is looked what is due.
TICK_SECONDS = 0.001
# What is not answered by then is lost.
ANSWER_DEADLINE_SECONDS = 15.0
CONTENT_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run gave; codes are all answers by status code, everything else is about those after the warm-up.

    rate: answers a second; p50, p99, greatest: latencies in milliseconds; cost: this process's microseconds of
    processor time a webhook; lost: webhooks without an answer, also those of the warm-up.
    """

    codes: Mapping[str, int]
    lost: int
    rate: float
    p50: float
    p99: float
    greatest: float
    cost: float

    def all_acknowledged(self) -> bool:
        return self.lost == 0 and set(self.codes) == {"200"}


def status_code(answer: bytes) -> int | None:
    """Give the status code of an answer with a Content-Length, None while it is not complete."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return None
    length = CONTENT_LENGTH.search(head)
    if length is None:
        raise ValueError("an answer without a Content-Length")
    return int(head[9:12]) if len(body) >= int(length[1]) else None


class Connection(asyncio.Protocol):
    """One webhook at a time."""

    def __init__(self, loop: "Loop") -> None:
        self._loop = loop
        self._since: float | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, since: float) -> None:
        """Send a request whose latency counts from `since`."""
        self._since = since
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        code = status_code(self._received)
        if code is not None and self._since is not None:
            since, self._since, self._received = self._since, None, b""
            self._loop.answered(self, code, since)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._since is not None:
            self._loop.lost()

    def close(self) -> None:
        self._since = None
        self._transport.abort()


class Measurement:
    """Counts answers; latencies and the rate are those of what was sent after `begins`, on perf_counter's clock."""

    def __init__(self, begins: float) -> None:
        self.codes: Counter[str] = Counter()
        self.lost = 0
        self._begins = begins
        self._latencies: list[float] = []

    def answered(self, code: int, since: float) -> None:
        self.codes[str(code)] += 1
        if since >= self._begins:
            self._latencies.append(perf_counter() - since)

    def result(self, seconds: float, processor_seconds: float) -> Answered:
        latencies = sorted(self._latencies)
        return Answered(
            codes=self.codes,
            lost=self.lost,
            rate=len(latencies) / seconds,
            p50=quantile(latencies, 0.5) * 1000,
            p99=quantile(latencies, 0.99) * 1000,
            greatest=quantile(latencies, 1) * 1000,
            cost=processor_seconds / max(1, self.codes.total()) * 1e6,
        )


def quantile(values: list[float], share: float) -> float:
    """Give the least of the sorted values that is not exceeded by this share of them, 0 where there are none."""
    return values[ceil(len(values) * share) - 1] if values else 0.0


class Loop(ABC):
    """Sends webhooks over connections until `ends`, and notes what becomes of them."""

    def __init__(self, requests: Requests, measurement: Measurement, ends: float) -> None:
        self._requests = requests
        self._measurement = measurement
        self.ends = ends
        self._unanswered = 0
        self._done = asyncio.Event()

    @abstractmethod
    async def run(self, connections: list[Connection]) -> None: ...

    @abstractmethod
    def answered(self, connection: Connection, code: int, since: float) -> None: ...

    def lost(self) -> None:
        """Note that a connection has ended while an answer was due."""
        self._measurement.lost += 1
        self._end_one()

    def _end_one(self) -> None:
        self._unanswered -= 1
        if self._unanswered == 0:
            self._done.set()

    async def _all_answered(self) -> None:
        """Wait for what is still under way, up to its deadline."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_DEADLINE_SECONDS):
                await self._done.wait()
        self._measurement.lost += self._unanswered


class ClosedLoop(Loop):
    """Every connection sends its next webhook when the last one was answered, until `ends`."""

    async def run(self, connections: list[Connection]) -> None:
        self._unanswered = len(connections)
        for connection in connections:
            connection.send(self._requests.make(), perf_counter())
        await asyncio.sleep(self.ends - perf_counter())
        await self._all_answered()

    def answered(self, connection: Connection, code: int, since: float) -> None:
        self._measurement.answered(code, since)
        now = perf_counter()
        if now < self.ends:
            connection.send(self._requests.make(), now)
        else:
            self._end_one()


class OpenLoop(Loop):
    """A webhook is due at every `1 / rate` of a second until `ends`; without an idle connection it waits for one."""

    def __init__(self, requests: Requests, measurement: Measurement, rate: float, ends: float) -> None:
        super().__init__(requests, measurement, ends)
        self._rate = rate
        self._idle: deque[Connection] = deque()
        # When what waits for a connection was due.
        self._waiting: deque[float] = deque()

    async def run(self, connections: list[Connection]) -> None:
        self._idle.extend(connections)
        starts = perf_counter()
        total = self._unanswered = int((self.ends - starts) * self._rate)
        sent = 0
        while sent < total:
            due = min(total, int((perf_counter() - starts) * self._rate) + 1)
            for number in range(sent, due):
                self._send(starts + number / self._rate)
            sent = due
            await asyncio.sleep(TICK_SECONDS)
        await self._all_answered()

    def _send(self, due: float) -> None:
        if self._idle:
            self._idle.popleft().send(self._requests.make(), due)
        else:
            self._waiting.append(due)

    def answered(self, connection: Connection, code: int, since: float) -> None:
        self._measurement.answered(code, since)
        self._end_one()
        if self._waiting:
            connection.send(self._requests.make(), self._waiting.popleft())
        else:
            self._idle.append(connection)


async def load(
    *, port: int, secret: str, connections: int, warm_up: float, seconds: float, statuses: int, rate: float | None
) -> Answered:
    """Send webhooks to a port of this machine for `warm_up` and then `seconds`, at a rate or as fast as they go."""
    requests = Requests(f"127.0.0.1:{port}", secret.encode(), statuses)
    opened: list[Connection] = []
    # A collection would show as latency; nothing here makes cycles.
    gc.disable()
    begins = perf_counter() + warm_up
    measurement = Measurement(begins)
    kind: Loop
    if rate is None:
        kind = ClosedLoop(requests, measurement, begins + seconds)
    else:
        kind = OpenLoop(requests, measurement, rate, begins + seconds)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: Connection(kind), "127.0.0.1", port)
        opened.append(connection)
    before = process_time()
    await kind.run(opened)
    answered = measurement.result(seconds, process_time() - before)
    for connection in opened:
        connection.close()
    # Aborted transports close on the loop's next turn.
    await asyncio.sleep(0)
    return answered


def main(
    port: Annotated[int, typer.Argument(help="where the receiver listens on this machine")],
    secret: Annotated[str, typer.Argument(help="the app secret that signs")],
    *,
    connections: Annotated[int, typer.Option(help="connections kept")] = 512,
    warm_up: Annotated[float, typer.Option(help="seconds that do not count")] = 0.5,
    seconds: Annotated[float, typer.Option(help="seconds that count")] = 5.0,
    statuses: Annotated[int, typer.Option(help="statuses of a webhook")] = 1,
    rate: Annotated[float | None, typer.Option(help="webhooks a second, whatever is answered")] = None,
) -> None:
    """Send signed webhooks and write one line of JSON: how they were answered."""
    answered = uvloop.run(
        load(
            port=port,
            secret=secret,
            connections=connections,
            warm_up=warm_up,
            seconds=seconds,
            statuses=statuses,
            rate=rate,
        )
    )
    sys.stdout.buffer.write(orjson.dumps(answered, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    typer.run(main)
