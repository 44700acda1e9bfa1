"""End to end on one machine: Meta's line for a number with 1,000 messages a second, and the highest rate that holds.

Load, Kafka, PostgreSQL and both services share the machine. The load is an open loop: a late answer does not slow it.
"""

import asyncio
import sys
from dataclasses import dataclass
from time import time

import asyncpg
import orjson

from tests.bench.ground import APP_SECRET, Ground, Service, run_command
from tests.bench.load import Answered
from tests.bench.measured import Reading, Results
from tests.bench.statuses import Load, message_id
from tests.integration.processes import free_port
from tests.waiting import eventually

RATE = 3_300.0
SECONDS = 300.0
# A message has 3.3 webhooks on average, of which chance repeats some; so few that the play never runs short.
WEBHOOKS_A_MESSAGE = 3.2
# Then so much faster, for so long each, until it does not hold.
STEP = 1.25
STEP_SECONDS = 40.0
SAMPLED = 200
POLL_SECONDS = 0.05
LAG_SECONDS = 1.0
COMMIT_DEADLINE_SECONDS = 60.0
# What Meta asks for, and what people at a dashboard are promised; milliseconds.
ANSWER_MEDIAN_MS = 250.0
COMMITTED_P99_MS = 2_000.0
STATUSES = ("sent", "delivered", "read")

PROVEN = """
SELECT message_id, sent_at IS NOT NULL AS sent, delivered_at IS NOT NULL AS delivered, read_at IS NOT NULL AS read
FROM message_logs WHERE message_id = ANY ($1::text[])
"""


@dataclass(frozen=True, slots=True)
class Played:
    """What a time at a rate gave: answers, latencies from POST to committed row and lags, in the order of time."""

    answered: Answered
    committed_ms: list[float]
    lags: list[float]

    def holds(self) -> bool:
        return (
            self.answered.all_acknowledged()
            and self.answered.p50 < ANSWER_MEDIAN_MS
            and self.answered.p99 < 1000
            and _quantile(self.committed_ms, 0.99) < COMMITTED_P99_MS
        )


async def measure(ground: Ground, rounds: int) -> Results:  # noqa: ARG001 -- one round is five minutes
    played = await play(ground, RATE, SECONDS)
    highest, rate = RATE, RATE * STEP
    while (faster := await play(ground, rate, STEP_SECONDS)).holds():
        highest, rate = rate, rate * STEP
    _tell(f"{rate:,.0f}/s does not hold: {faster.answered}, {_quantile(faster.committed_ms, 0.99):,.0f} ms")
    half = len(played.lags) // 2
    return Results(
        "line",
        readings=[
            Reading(
                "answer",
                f"answer, median, {RATE:,.0f} webhooks/s for {SECONDS:.0f} s",
                "ms",
                [played.answered.p50],
                at_most=ANSWER_MEDIAN_MS,
            ),
            Reading("answer p99", "answer, 99th percentile", "ms", [played.answered.p99], at_most=1000),
            Reading("lost", "webhooks without a 200", "", [float(_not_acknowledged(played.answered))], at_most=0),
            Reading(
                "committed",
                "POST to committed row, 99th percentile",
                "ms",
                [_quantile(played.committed_ms, 0.99)],
                at_most=COMMITTED_P99_MS,
            ),
            Reading("lag of the first half", "lag, highest of the first half", "statuses", [max(played.lags[:half])]),
            Reading("lag", "lag, highest of the second half", "statuses", [max(played.lags[half:])]),
            Reading("highest", "the highest rate that held", "webhooks/s", [highest]),
        ],
    )


async def play(ground: Ground, rate: float, seconds: float) -> Played:
    """Play a campaign at a rate, in a database and with services of its own."""
    rows = int(rate * seconds / WEBHOOKS_A_MESSAGE) + 1
    async with ground.place(f"line-{rate:.0f}") as place:
        owner = await asyncpg.connect(place.owner_url)
        try:
            await Load(rows, 1, 0).create_rows(owner)
            port = free_port()
            async with (
                ground.service("ingest_service", place, PORT=str(port)),
                ground.service("status_service", place) as consumer,
            ):
                watch = Watch(owner, consumer, [message_id(row) for row in range(0, rows, SAMPLED)])
                watching = asyncio.create_task(watch.run())
                told = orjson.loads(await _load(port, rows, rate, seconds))
                made: dict[str, float] = told["made"]

                async def all_seen() -> bool:
                    return made.keys() <= watch.seen.keys()

                await eventually(all_seen, COMMIT_DEADLINE_SECONDS)
                watching.cancel()
        finally:
            await owner.close()
    committed = [(watch.seen[name] - at) * 1000 for name, at in made.items()]
    played = Played(Answered(**told["answered"]), committed, watch.lags)
    late = f"committed p99 {_quantile(committed, 0.99):,.0f} ms, lag {max(watch.lags):,.0f}"
    _tell(f"{rate:,.0f}/s: {played.answered}, {late}")
    return played


class Watch:
    """When the statuses of some messages are first seen in their rows, and how far the consumer is behind."""

    def __init__(self, owner: asyncpg.Connection, consumer: Service, wamids: list[str]) -> None:
        self.seen: dict[str, float] = {}
        self.lags: list[float] = []
        self._owner = owner
        self._consumer = consumer
        self._wamids = wamids

    async def run(self) -> None:
        """Look until cancelled."""
        looked_after_lag = 0.0
        while True:
            rows = await self._owner.fetch(PROVEN, self._wamids)
            now = time()
            for row in rows:
                for status in STATUSES:
                    if row[status]:
                        self.seen.setdefault(f"{row['message_id']}/{status}", now)
            done = {row["message_id"] for row in rows if row["read"]}
            self._wamids = [wamid for wamid in self._wamids if wamid not in done]
            if now > looked_after_lag + LAG_SECONDS:
                looked_after_lag = now
                self.lags.append(await self._lag())
            await asyncio.sleep(POLL_SECONDS)

    async def _lag(self) -> float:
        async with self._consumer.http.get(f"{self._consumer.internal_url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return float(
            next(line for line in lines if line.startswith('status_consumer_lag{topic="raw.status"} ')).split()[1]
        )


async def _load(port: int, rows: int, rate: float, seconds: float) -> bytes:
    return await run_command(
        "tests.bench.line_load",
        str(port),
        APP_SECRET,
        f"--rows={rows}",
        f"--rate={rate}",
        f"--seconds={seconds}",
        f"--sampled={SAMPLED}",
    )


def _not_acknowledged(answered: Answered) -> int:
    return answered.lost + sum(number for code, number in answered.codes.items() if code != "200")


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
