"""`python -m tests.bench.line_load`: Meta's own line for one number, as an open loop of webhooks of one status each.

The statuses are a campaign's, in its course, and their messages have rows. It writes one line of JSON: how the
webhooks were answered, and when those of some messages were due (seconds since 1970).
"""

import asyncio
import gc
import heapq
import random
import sys
from collections.abc import Iterator
from time import perf_counter, process_time, time
from typing import Annotated

import orjson
import typer
import uvloop

from tests.bench.load import Connection, Measurement, OpenLoop
from tests.bench.signed_webhooks import AFTER_STATUSES, BEFORE_STATUSES, Requests
from tests.bench.statuses import course, message_id

# Of Meta's own, one webhook in ten comes twice.
REPEATED = 0.1
CONNECTIONS = 900


class CampaignRequests(Requests):
    """Signed webhooks of one status each, in the order in which a campaign has them."""

    def __init__(self, host: str, secret: bytes, rows: int, sampled: int) -> None:
        super().__init__(host, secret, 1)
        self._sampled = sampled
        self._course = _in_order(rows)
        # When the first webhook of a sampled status was made, by message id and status.
        self.made: dict[str, float] = {}

    def make(self) -> bytes:
        status, row = next(self._course)
        wamid = message_id(row)
        if row % self._sampled == 0:
            self.made.setdefault(f"{wamid}/{status}", time())
        text = b'{"id":"%b","status":"%b","timestamp":"%d","recipient_id":"49155%08d"}' % (
            wamid.encode(),
            status.encode(),
            int(time()),
            row,
        )
        return self.signed(BEFORE_STATUSES + text + AFTER_STATUSES)


def _in_order(rows: int) -> Iterator[tuple[str, int]]:
    """Give statuses as they are due; more messages begin than end at first, as in life."""
    chance = random.Random(20261001)
    coming: list[tuple[float, str, int]] = []
    for row in range(rows):
        begun = list(course(row, chance))
        while coming and coming[0] < begun[0]:
            _, status, other = heapq.heappop(coming)
            yield status, other
        for one in begun:
            heapq.heappush(coming, one)
            if chance.random() < REPEATED:
                heapq.heappush(coming, one)
    while coming:
        _, status, row = heapq.heappop(coming)
        yield status, row


async def _load(port: int, requests: CampaignRequests, rate: float, seconds: float) -> bytes:
    gc.disable()
    measurement = Measurement(perf_counter())
    loop = OpenLoop(requests, measurement, rate, perf_counter() + seconds)
    running = asyncio.get_running_loop()
    connections = [
        (await running.create_connection(lambda: Connection(loop), "127.0.0.1", port))[1] for _ in range(CONNECTIONS)
    ]
    before = process_time()
    await loop.run(connections)
    answered = measurement.result(seconds, process_time() - before)
    for connection in connections:
        connection.close()
    await asyncio.sleep(0)
    return orjson.dumps({"answered": answered, "made": requests.made})


def main(
    port: Annotated[int, typer.Argument(help="where the receiver listens on this machine")],
    secret: Annotated[str, typer.Argument(help="the app secret that signs")],
    *,
    rows: Annotated[int, typer.Option(help="messages of the campaign")],
    rate: Annotated[float, typer.Option(help="webhooks a second, whatever is answered")],
    seconds: Annotated[float, typer.Option(help="how long")],
    sampled: Annotated[int, typer.Option(help="of so many messages one is told of")] = 200,
) -> None:
    """Play the line and write how it went."""
    requests = CampaignRequests(f"127.0.0.1:{port}", secret.encode(), rows, sampled)
    sys.stdout.buffer.write(uvloop.run(_load(port, requests, rate, seconds)))


if __name__ == "__main__":
    typer.run(main)
