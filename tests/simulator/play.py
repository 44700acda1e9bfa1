"""One play from the verification to the verdict."""

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from rich.console import Console

from tests.simulator.database import DATABASE_AWAY, connect
from tests.simulator.disorder import Disorder, make_bodies
from tests.simulator.environment import Environment
from tests.simulator.handshake import shake_hands
from tests.simulator.latency import LatencyWatch, draw_samples
from tests.simulator.model import make_model
from tests.simulator.plan import make_plan
from tests.simulator.progress import Show, show_progress
from tests.simulator.proof import Verdict, wait_until_meant
from tests.simulator.queries import query
from tests.simulator.sender import Pace, Sender, Tally
from tests.simulator.sending_platform import create_campaign, find_business_number

USERNAME = "testuser"
LATENCY_SAMPLES = 500
PROGRESS_SECONDS = 0.2
# A sample is seen at the latest two polls after its row was committed.
LAST_SAMPLES_DEADLINE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything of a play follows from this; `start` is the Unix time of the campaign's first message."""

    recipients: int
    seed: int
    start: int
    disorder: Disorder
    pace: Pace
    # How long the services have to apply the rest after the last answer.
    wait_seconds: float
    # Instead of a rate: the traffic is spread over this time.
    spread_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    scenario: Scenario
    campaign_id: UUID
    bodies: int
    statuses: int
    tally: Tally
    # From the first POST to the last answer, and to the tables being as meant.
    acknowledged_seconds: float
    applied_seconds: float
    # From the POST of a sampled status to its row.
    latencies: list[float]
    verdict: Verdict

    @property
    def holds(self) -> bool:
        return self.verdict.holds and not self.tally.given_up


async def play(environment: Environment, scenario: Scenario, console: Console) -> Outcome:
    chance = random.Random(scenario.seed)
    challenge = await shake_hands(environment.webhook_url, environment.verify_token, chance)
    console.print(f"verified: GET {environment.webhook_url} returned Meta's challenge {challenge}")
    async with connect(environment.database_url) as connection:
        number = await find_business_number(connection, USERNAME)
        plan = make_plan(scenario.recipients, number, scenario.start, scenario.seed)
        name = f"Simulated campaign, seed {scenario.seed}"
        campaign_id = await create_campaign(connection, USERNAME, name, plan.recipients, number)
    bodies = make_bodies(plan.statuses, scenario.disorder, scenario.seed)
    statuses = sum(body.count() for body in bodies)
    pace = scenario.pace
    if scenario.spread_seconds is not None:
        pace = replace(pace, rate=len(bodies) / scenario.spread_seconds)
    console.print(
        f"campaign {campaign_id}: {len(plan.recipients):,} recipients, {statuses:,} statuses in {len(bodies):,} "
        f"webhooks (seed {scenario.seed}, start {scenario.start})"
    )
    model = make_model(plan)
    watch = LatencyWatch(draw_samples(bodies, plan.wamids, LATENCY_SAMPLES, scenario.seed))
    sender = Sender(environment.webhook_url, environment.app_secret, pace, watch.on_post)
    # The plan stays to the end; without it a full collection has nothing to walk through in the middle of the sending.
    gc.collect()
    gc.freeze()
    with show_progress(console, statuses, scenario.recipients) as show:
        async with (
            _in_background(watch.watch(environment.database_url, campaign_id)) as watching,
            _in_background(_follow(environment.database_url, campaign_id, sender.tally, show)),
        ):
            begin = time.monotonic()
            await sender.send(bodies)
            acknowledged = time.monotonic()
            verdict = await wait_until_meant(environment.database_url, campaign_id, model, scenario.wait_seconds)
            applied = time.monotonic()
            if verdict.holds:
                await asyncio.wait({watching}, timeout=LAST_SAMPLES_DEADLINE_SECONDS)
                show(sender.tally.statuses_acknowledged, scenario.recipients)
    return Outcome(
        scenario=replace(scenario, pace=pace),
        campaign_id=campaign_id,
        bodies=len(bodies),
        statuses=statuses,
        tally=sender.tally,
        acknowledged_seconds=acknowledged - begin,
        applied_seconds=applied - begin,
        latencies=watch.latencies,
        verdict=verdict,
    )


async def _follow(database_url: str, campaign_id: UUID, tally: Tally, show: Show) -> None:
    counted = 0
    while True:
        try:
            async with connect(database_url) as connection:
                while True:
                    counted = await connection.fetchval(query("messages_counted"), campaign_id)
                    show(tally.statuses_acknowledged, counted)
                    await asyncio.sleep(PROGRESS_SECONDS)
        except DATABASE_AWAY:
            show(tally.statuses_acknowledged, counted)
            await asyncio.sleep(PROGRESS_SECONDS)


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """End the work with the block; an error in it is raised there."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
