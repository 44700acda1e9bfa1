"""The receiver: how much of a bare application's rate is left when everything is verified, published and acknowledged.

One worker on a core of its own; Kafka, PostgreSQL and the load have the other cores, as they are elsewhere in
production. What is not answered 200 ends the benchmark.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median

import orjson
import psutil

from tests.bench.ground import APP_SECRET, START_DEADLINE_SECONDS, Ground, Place, process
from tests.bench.load import Answered
from tests.bench.measured import Contest, Reading, Results
from tests.conftest import ROOT
from tests.integration.processes import free_port
from tests.waiting import eventually

# Seconds of load for one value; the first half second of a run does not count.
SECONDS = 3.0
QUICK_SECONDS = 1.5
OPEN_LOOP_SECONDS = 10.0
MOST_LATENCY_MS = 30
# Of our own closed-loop rate.
SHARE_OF_RATE = 0.7
# Meta has thousands of webhooks under way at a thousand messages a second if an answer takes a tenth of one.
CONNECTIONS = 512
STATUSES = 100
# A hundred statuses are 20 kB; these are as many statuses under way as 20 webhooks a connection.
CONNECTIONS_OF_STATUSES = 64

OURS, BARE, OBVIOUS = "ours", "bare", "obvious"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A listening process on the core of the contestants."""

    port: int

    async def load(self, **options: float) -> Answered:
        """Run a load generator against it and give what it wrote. Raises if not everything was answered 200."""
        given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        generator = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bench.load",
            str(self.port),
            APP_SECRET,
            *given,
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await generator.communicate()
        assert generator.returncode == 0, f"the load generator ended with {generator.returncode}"
        answered = Answered(**orjson.loads(output))
        assert answered.all_acknowledged(), f"not everything was answered 200: {answered}"
        return answered


async def measure(ground: Ground, rounds: int) -> Results:
    async with _contestants(ground) as (cores, contestants):
        rates = await _rates(contestants, rounds, SECONDS)
        ours = contestants[OURS]
        statuses = [await _statuses(ours, SECONDS) for _ in range(rounds)]
        load = {"rate": SHARE_OF_RATE * median(rates[OURS]), "seconds": OPEN_LOOP_SECONDS, "warm_up": 2.0}
        alone = await ours.load(connections=CONNECTIONS, **load)
        _tell(f"open loop: {alone}")
        restarted = await _while_the_consumer_restarts(ground, cores, load)
        _tell(f"open loop while status_service restarts: {restarted}")
    latency = f"p99 of the answers at {SHARE_OF_RATE:.0%} of its rate"
    readings = [
        Reading("latency", latency, "ms", [alone.p99], at_most=MOST_LATENCY_MS),
        Reading(
            "latency while status_service restarts",
            f"{latency}, meanwhile",
            "ms",
            [restarted.p99],
            at_most=MOST_LATENCY_MS,
        ),
    ]
    return _results(rates, statuses, readings)


async def measure_quickly(ground: Ground, rounds: int) -> Results:
    """Leave out latency, and the obvious way, which says nothing about a change."""
    async with _contestants(ground) as (_, contestants):
        rates = await _rates({name: contestants[name] for name in (BARE, OURS)}, rounds, QUICK_SECONDS)
        statuses = [await _statuses(contestants[OURS], QUICK_SECONDS) for _ in range(rounds)]
    return _results(rates, statuses, [])


def _results(rates: Mapping[str, Sequence[float]], statuses: Sequence[float], more: Sequence[Reading]) -> Results:
    contest = Contest(
        "one status a webhook",
        "How many signed webhooks of one status does a worker on one core acknowledge a second?",
        "webhooks/s",
        rates,
        beside=BARE,
        targets={OURS: 0.75},
    )
    reading = Reading(
        "a hundred statuses a webhook",
        "Statuses acknowledged by a worker on one core",
        "statuses/s",
        statuses,
        at_least=100_000,
    )
    return Results("receiver", [contest], [reading, *more])


@contextlib.asynccontextmanager
async def _contestants(ground: Ground) -> AsyncIterator[tuple["Cores", Mapping[str, Contestant]]]:
    async with AsyncExitStack() as running:
        cores = running.enter_context(_cores(ground))
        place = await running.enter_async_context(ground.place("receiver"))
        yield (
            cores,
            {
                BARE: await running.enter_async_context(_application(BARE, place, cores)),
                OBVIOUS: await running.enter_async_context(_application(OBVIOUS, place, cores)),
                OURS: await running.enter_async_context(_ours(ground, place, cores)),
            },
        )


async def _rates(contestants: Mapping[str, Contestant], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Give a rate of each contestant a round, webhooks a second; they take turns in being first."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            answered = await contestants[name].load(connections=CONNECTIONS, seconds=seconds)
            _tell(f"{name}: {answered}")
            rates[name].append(answered.rate)
    return rates


async def _statuses(ours: Contestant, seconds: float) -> float:
    answered = await ours.load(connections=CONNECTIONS_OF_STATUSES, statuses=STATUSES, seconds=seconds)
    _tell(f"{STATUSES} statuses a webhook: {answered}")
    return answered.rate * STATUSES


async def _while_the_consumer_restarts(ground: Ground, cores: "Cores", load: Mapping[str, float]) -> Answered:
    """Load a receiver whose topics a consumer reads, which is ended and started again meanwhile."""
    async with ground.place("restart") as place, _ours(ground, place, cores) as ours:
        async with ground.service("status_service", place):
            loading = asyncio.create_task(ours.load(connections=CONNECTIONS, **load))
            await asyncio.sleep(load["seconds"] / 2)
        async with ground.service("status_service", place):
            return await loading


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the contestants have to themselves, and which are everything else's."""

    contestants: int
    others: frozenset[int]


@contextlib.contextmanager
def _cores(ground: Ground) -> Iterator[Cores]:
    """Keep everything that runs off the first core, and what this process starts from now on."""
    available = os.sched_getaffinity(0)
    assert len(available) > 1, "the receiver and what loads it need a core each"
    first = min(available)
    cores = Cores(first, frozenset(available - {first}))
    servers = [server.pid for server in (ground.stack.postgres, ground.stack.broker) if server.pid is not None]
    _move([os.getpid(), *servers], cores.others)
    try:
        yield cores
    finally:
        _move([os.getpid(), *servers], available)


def _move(processes: Iterable[int], cores: Iterable[int]) -> None:
    """Let processes, their threads and what they started run on these cores only."""
    for pid in processes:
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            # A server's sessions and a virtual machine's threads come and go; new ones stay where their maker is.
            with contextlib.suppress(psutil.NoSuchProcess):
                for thread in member.threads():
                    with contextlib.suppress(ProcessLookupError):
                        os.sched_setaffinity(thread.id, cores)


@contextlib.asynccontextmanager
async def _application(name: str, place: Place, cores: Cores) -> AsyncIterator[Contestant]:
    port = free_port()
    settings = {**place.settings, "PORT": str(port)}
    async with process(place.directory / "services.log", "tests.bench.applications", name, **settings) as running:
        _move([running.pid], {cores.contestants})

        async def listens() -> bool:
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
            return False

        await eventually(listens, START_DEADLINE_SECONDS)
        yield Contestant(port)


@contextlib.asynccontextmanager
async def _ours(ground: Ground, place: Place, cores: Cores) -> AsyncIterator[Contestant]:
    port = free_port()
    async with ground.service("ingest_service", place, PORT=str(port)) as service:
        _move([service.process.pid], {cores.contestants})
        yield Contestant(port)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
