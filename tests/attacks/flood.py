"""`python -m tests.attacks.flood`: signed webhooks at a rate, and for each kind of answer how long it took.

A process of its own. Webhooks are due at even distances whatever was answered, and there may be more connections than a
receiver lets webhooks in, so that it is the receiver who says no. It writes one line of JSON, and the message ids that
were acknowledged into a file.
"""

import asyncio
import gc
import sys
from collections import defaultdict
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import orjson
import typer
import uvloop

from tests.bench.load import Connection, Measurement, OpenLoop, quantile
from tests.bench.signed_webhooks import Requests

MESSAGE_ID = b'"statuses":[{"id":"'


class NotingConnection(Connection):
    """Knows what it has sent, and when."""

    def send(self, request: bytes, since: float) -> None:
        begin = request.index(MESSAGE_ID) + len(MESSAGE_ID)
        self.message_id = request[begin : request.index(b'"', begin)]
        self.sent_at = perf_counter()
        super().send(request, since)


class Flood(OpenLoop):
    """Keeps what was acknowledged, and by status code the latencies since a webhook was due, and since it was sent."""

    def __init__(self, requests: Requests, rate: float, ends: float) -> None:
        self.measurement = Measurement(0)
        super().__init__(requests, self.measurement, rate, ends)
        self.acknowledged: list[bytes] = []
        self.since_due: dict[int, list[float]] = defaultdict(list)
        self.since_sent: dict[int, list[float]] = defaultdict(list)

    def answered(self, connection: Connection, code: int, since: float) -> None:
        assert isinstance(connection, NotingConnection)
        now = perf_counter()
        self.since_due[code].append(now - since)
        self.since_sent[code].append(now - connection.sent_at)
        if code == 200:
            self.acknowledged.append(connection.message_id)
        super().answered(connection, code, since)

    def result(self) -> dict[str, Any]:
        """Give what got no answer, and the number and latencies (milliseconds) of the answers by status code."""
        return {
            "lost": self.measurement.lost,
            "answers": {
                str(code): {"number": len(due)} | _latencies("due", due) | _latencies("sent", self.since_sent[code])
                for code, due in self.since_due.items()
            },
        }


def _latencies(since: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {f"{since}_p50": quantile(ordered, 0.5) * 1000, f"{since}_p99": quantile(ordered, 0.99) * 1000}


async def _run(flood: Flood, port: int, seconds: float, connections: int) -> None:
    gc.disable()
    running = asyncio.get_running_loop()
    opened = [
        (await running.create_connection(lambda: NotingConnection(flood), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    flood.ends = perf_counter() + seconds
    await flood.run([*opened])
    for connection in opened:
        connection.close()
    # Aborted transports close on the loop's next turn.
    await asyncio.sleep(0)


def main(
    port: int,
    secret: str,
    acknowledged: Path,
    *,
    rate: Annotated[float, typer.Option()],
    seconds: Annotated[float, typer.Option()],
    connections: Annotated[int, typer.Option()],
) -> None:
    """Send signed webhooks, and write how they were answered and which were acknowledged."""
    flood = Flood(Requests(f"127.0.0.1:{port}", secret.encode(), 1), rate, 0)
    uvloop.run(_run(flood, port, seconds, connections))
    acknowledged.write_bytes(b"\n".join(flood.acknowledged))
    sys.stdout.buffer.write(orjson.dumps(flood.result()))


if __name__ == "__main__":
    typer.run(main)
