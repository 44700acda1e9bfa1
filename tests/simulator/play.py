"""One play from the verification to the verdict."""

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from rich.console import Console

from tests.simulator.background import in_background
from tests.simulator.database import DATABASE_AWAY, connect
from tests.simulator.disorder import Disorder, make_bodies
from tests.simulator.environment import Environment
from tests.simulator.handshake import shake_hands
from tests.simulator.latency import LatencyWatch, draw_samples
from tests.simulator.ledger import Events, EventsVerdict, Ledger
from tests.simulator.misbehaviour import Misbehaviour, Misdeed, MisdeedTally, Platform, repairable_rows
from tests.simulator.model import make_model
from tests.simulator.plan import Plan, make_plan
from tests.simulator.progress import Show, show_progress
from tests.simulator.proof import Verdict, wait_until_meant
from tests.simulator.publication import wait_until_published
from tests.simulator.queries import query
from tests.simulator.send_responses import ResponseStore, Rows, draw_responses
from tests.simulator.sender import Pace, Sender, Tally
from tests.simulator.sending_platform import create_campaign, find_business_number
from tests.simulator.subscriber import subscribed

USERNAME = "testuser"
LATENCY_SAMPLES = 500
PROGRESS_SECONDS = 0.2
# A sample is seen at the latest two polls after its row was committed.
LAST_SAMPLES_DEADLINE_SECONDS = 2
# The platform's last statements after the last answer; a database that is away has this time to come back.
PLATFORM_DEADLINE_SECONDS = 60


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
    rows: Rows = Rows.BEFORE
    # The share of messages of which the platform never hears the wamid.
    callback_share: float = 0
    platform: Platform = Platform.WELL_BEHAVED
    # How long a rough platform holds rows in one transaction.
    lock_seconds: float = 3
    events: Events = Events.NONE
    # How long the verification is asked again of a receiver that is not there.
    patience_seconds: float = 0


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
    misdeeds: MisdeedTally = field(default_factory=MisdeedTally)
    # None where nobody listened.
    events: EventsVerdict | None = None

    @property
    def holds(self) -> bool:
        heard = self.events is None or self.events.holds
        return self.verdict.holds and heard and not self.tally.given_up and not self.misdeeds.deadlocks


async def play(environment: Environment, scenario: Scenario, console: Console) -> Outcome:
    chance = random.Random(scenario.seed)
    challenge = await shake_hands(environment.webhook_url, environment.verify_token, chance, scenario.patience_seconds)
    console.print(f"verified: GET {environment.webhook_url} returned Meta's challenge {challenge}")
    plan = await _write_campaign(environment, scenario)
    campaign_id = plan.campaign_id
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
    listening = scenario.events is not Events.NONE
    ledger = Ledger(plan, model.events) if listening else None
    watch = LatencyWatch(draw_samples(bodies, plan.wamids, LATENCY_SAMPLES, scenario.seed))
    responses = ResponseStore(draw_responses(plan, scenario.rows, len(bodies), scenario.seed))
    misbehaviour = Misbehaviour(campaign_id, repairable_rows(model), scenario.lock_seconds, scenario.seed)

    def on_post(place: int, moment: float) -> None:
        watch.on_post(place, moment)
        responses.reach(place)

    sender = Sender(environment.webhook_url, environment.app_secret, pace, on_post)
    # The plan stays to the end; without it a full collection has nothing to walk through in the middle of the sending.
    gc.collect()
    gc.freeze()
    with show_progress(console, statuses, scenario.recipients) as show:
        async with (
            in_background(watch.watch(environment.database_url, campaign_id)) as watching,
            in_background(_follow(environment.database_url, campaign_id, sender.tally, show)),
            contextlib.nullcontext() if ledger is None else subscribed(environment, ledger),
        ):
            begin = time.monotonic()
            async with _platform_at_work(environment, scenario, responses, misbehaviour):
                await sender.send(bodies)
                acknowledged = time.monotonic()
            deadline = time.monotonic() + scenario.wait_seconds
            verdict = await wait_until_meant(environment.database_url, campaign_id, model, deadline)
            applied = time.monotonic()
            events = None
            if ledger is not None:
                events = await wait_until_published(
                    environment.database_url, campaign_id, ledger, scenario.events, deadline
                )
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
        misdeeds=misbehaviour.tally,
        events=events,
    )


async def _write_campaign(environment: Environment, scenario: Scenario) -> Plan:
    async with connect(environment.database_url) as connection:
        plan = make_plan(
            # New each time: a seed and start that are played again have rows of their own.
            uuid4(),
            scenario.recipients,
            await find_business_number(connection, USERNAME),
            scenario.start,
            scenario.seed,
            callback_share=scenario.callback_share,
        )
        name = f"Simulated campaign, seed {scenario.seed}"
        await create_campaign(connection, USERNAME, name, plan, scenario.rows)
    return plan


@contextlib.asynccontextmanager
async def _platform_at_work(
    environment: Environment, scenario: Scenario, responses: ResponseStore, misbehaviour: Misbehaviour
) -> AsyncIterator[None]:
    """Let the platform write until the block has sent everything, and then finish."""
    misdeeds = list(Misdeed) if scenario.platform is Platform.ROUGH else []
    async with (
        in_background(responses.store(environment.database_url)) as storing,
        in_background(misbehaviour.go_on(environment.database_url, misdeeds)) as misbehaving,
    ):
        yield
        misbehaviour.end()
        responses.end()
        async with asyncio.timeout(PLATFORM_DEADLINE_SECONDS):
            await misbehaving
            await storing


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
