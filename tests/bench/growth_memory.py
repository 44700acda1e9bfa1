"""What the services' processes hold while they do an hour's work."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial

import asyncpg
import orjson
import psutil

from tests.bench.consumer import FULL, prepare
from tests.bench.ground import APP_SECRET, Ground, run_command
from tests.bench.measured import Reading
from tests.bench.statuses import Load, Order
from tests.integration.processes import free_port
from tests.waiting import eventually

MEBIBYTE = 2**20
SAMPLE_SECONDS = 0.2
BACKLOG_DEADLINE_SECONDS = 300.0
# A webhook of a busy hour has some statuses.
WEBHOOK_STATUSES = 10
WEBHOOKS_SECONDS = 60.0
# The first fifth of a run warms up. A leak of a hundred bytes a status would show as eighty mebibytes in the others.
WARM_UP = 5
TIMES_AS_LARGE = 1.1

HOUR = FULL
HALF_AN_HOUR = Load(HOUR.rows // 2, HOUR.campaigns // 2, HOUR.repetitions // 2)
ALL_READ = "SELECT sum(read_count) = $1::bigint FROM campaign_logs"


async def memory(ground: Ground) -> list[Reading]:
    """Take an hour to be a million statuses, as a sender of 93 messages a second has them.

    All of them wait when status_service begins, and none in the end: so lag is tried in the same run.
    """
    half, hour = [await _backlog(ground, load) for load in (HALF_AN_HOUR, HOUR)]
    webhooks, answered = await _webhooks(ground)
    return [
        *_readings("status_service", hour, f"{HOUR.statuses:,} waiting statuses"),
        Reading(
            "growth.memory.lag",
            f"status_service's most with {HOUR.statuses:,} statuses waiting, beside {HALF_AN_HOUR.statuses:,}",
            "times",
            [max(hour) / max(half)],
            TIMES_AS_LARGE,
        ),
        *_readings("ingest_service", webhooks, f"{answered:,} webhooks of {WEBHOOK_STATUSES} statuses"),
    ]


def _readings(service: str, samples: Sequence[float], work: str) -> list[Reading]:
    share = len(samples) // WARM_UP
    warm, end = max(samples[:share]), max(samples[-share:])
    sys.stderr.write(f"{service}, {work}: {warm:.0f} MiB when it was warm, {end:.0f} in the end\n")
    return [
        Reading(f"growth.memory.{service}.warm", f"{service} after a fifth of {work}", "MiB", [warm]),
        Reading(f"growth.memory.{service}.end", f"{service} after all of them", "MiB", [end]),
        Reading(f"growth.memory.{service}", f"{service} in the end beside warm", "times", [end / warm], TIMES_AS_LARGE),
    ]


async def _backlog(ground: Ground, load: Load) -> list[float]:
    async with ground.place(f"memory-{load.statuses}") as place:
        await prepare(place, load, Order.CAMPAIGN)
        owner = await asyncpg.connect(place.owner_url)
        try:
            async with ground.service("status_service", place) as service, _sampled(service.process) as samples:
                await eventually(partial(owner.fetchval, ALL_READ, load.rows), BACKLOG_DEADLINE_SECONDS)
        finally:
            await owner.close()
    return samples


async def _webhooks(ground: Ground) -> tuple[list[float], int]:
    """Give the samples, and how many webhooks were acknowledged meanwhile."""
    port = str(free_port())
    arguments = f"{port} {APP_SECRET} --statuses={WEBHOOK_STATUSES} --seconds={WEBHOOKS_SECONDS}"
    async with (
        ground.place("memory-webhooks") as place,
        ground.service("ingest_service", place, PORT=port) as service,
        _sampled(service.process) as samples,
    ):
        answered = orjson.loads(await run_command("tests.bench.load", *arguments.split()))
    assert set(answered["codes"]) == {"200"}, answered
    return samples, answered["codes"]["200"]


@contextlib.asynccontextmanager
async def _sampled(process: psutil.Process) -> AsyncIterator[list[float]]:
    """Give a list that the process's resident memory is written into, in MiB, until the block ends."""
    samples: list[float] = []

    async def sample() -> None:
        while True:
            samples.append(process.memory_info().rss / MEBIBYTE)
            await asyncio.sleep(SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()
