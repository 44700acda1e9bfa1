"""A campaign whose services meet a misfortune, and the verdict on what came of it."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from deploy.local.stack import inherited_environment
from tests.conftest import ROOT
from tests.faults.services import Kept, Stage
from tests.waiting import eventually

# The longest misfortune takes eight minutes, and a play that it falls into is finished.
DEADLINE_SECONDS = 20 * 60.0
# Recounts are a minute apart unless a test says otherwise; nothing else takes as long.
LEFT_DEADLINE_SECONDS = 90.0
# Of a play that lasts: webhooks a second, and of how many recipients they tell all.
RATE = 40
RECIPIENTS_A_WEBHOOK = 2.25

# Small batches, so that what happens finds some statuses applied, some in hand and some not read.
SETTINGS = {"BATCH_SIZE": "50", "RECONCILE_AFTER": "2"}

SOMETHING_PENDING = "SELECT EXISTS (SELECT FROM message_logs WHERE status = 'pending')"
ANYTHING_LEFT = """
SELECT (SELECT count(*) FROM status_outbox) AS outbox,
    (SELECT count(*) FROM parked_statuses JOIN message_logs USING (message_id)) AS parked,
    (SELECT count(*) FROM changed_campaigns) AS noted,
    (SELECT count(*) FROM campaign_logs WHERE revision <> recounted_revision) AS not_recounted
"""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a misfortune can happen to."""

    stage: Stage
    receiver: Kept
    consumers: Sequence[Kept]
    owner: "asyncpg.Connection[asyncpg.Record]"


Misfortune = Callable[[Campaign], Awaitable[None]]


def lasting(seconds: float, rate: int = RATE) -> tuple[str, ...]:
    """Give the simulator's options for a play whose webhooks come for about so long."""
    recipients = int(seconds * rate * RECIPIENTS_A_WEBHOOK)
    return f"--recipients={recipients}", f"--rate={rate}", "--max-statuses=20"


async def played_through(
    stage: Stage,
    misfortune: Misfortune,
    *options: str,
    consumers: int = 1,
    receiver: Mapping[str, str] | None = None,
    **settings: str,
) -> list[dict[str, Any]]:
    """Play a campaign in the middle of which the misfortune happens, and further ones as long as it goes on.

    Fails unless all that was acknowledged is in the tables and was published, and nothing is left over; gives the
    simulator's reports.
    """
    reports = []
    async with _services(stage, consumers, receiver or {}, SETTINGS | settings) as campaign:
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
            happening = tasks.create_task(_in_the_middle(campaign, misfortune))
            while not happening.done():
                reports.append(await play(stage, *options))
        await nothing_is_left(campaign.owner)
    log = await asyncio.to_thread(stage.log_file.read_text)
    assert "Traceback" not in log, f"see {stage.log_file}"
    return reports


def answers(reports: Sequence[Mapping[str, Any]]) -> set[str]:
    """Give every answer that the simulator got: status codes, and the names of errors."""
    return {answer for report in reports for answer in report["answers"]}


async def play(stage: Stage, *options: str) -> dict[str, Any]:
    """Let the simulator play a campaign; fail unless it ends as meant. Give its report."""
    report, output = stage.directory / "report.json", stage.directory / "simulator.log"
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.simulator",
            "play",
            f"--report={report}",
            "--events=at-least-once",
            "--wait=300",
            "--give-up=300",
            # A further play may begin while the receiver is being started again.
            "--patience=60",
            *options,
            cwd=ROOT,
            env={
                **inherited_environment(),
                **stage.settings,
                "DATABASE_URL": stage.database.owner,
                "INGEST_URL": stage.url,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    said = await asyncio.to_thread(output.read_text)
    assert status == 0, said
    print(said)  # noqa: T201 -- pytest shows it with a failure
    told: dict[str, Any] = json.loads(await asyncio.to_thread(report.read_text))
    return told


async def nothing_is_left(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait until no entry waits for its publication, no status for a row that is there, no change for its recount."""

    async def empty() -> bool:
        left = await owner.fetchrow(ANYTHING_LEFT)
        return left is not None and not any(left)

    await eventually(empty, LEFT_DEADLINE_SECONDS)


@contextlib.asynccontextmanager
async def _services(
    stage: Stage, consumers: int, receiver_settings: Mapping[str, str], settings: Mapping[str, str]
) -> AsyncIterator[Campaign]:
    async with contextlib.AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(stage.running("ingest_service", **receiver_settings))
        members = [
            await stack.enter_async_context(stage.service("status_service", **settings)) for _ in range(consumers)
        ]
        # All at once: each that joins later would wait for the others' next heartbeat.
        await asyncio.gather(*(member.start() for member in members))
        await asyncio.gather(*(member.ready() for member in members))
        owner = await asyncpg.connect(stage.database.owner)
        stack.push_async_callback(owner.close)
        yield Campaign(stage, receiver, members, owner)


async def _in_the_middle(campaign: Campaign, misfortune: Misfortune) -> None:
    """Let it happen once the first statuses are applied; it begins before the last ones are."""

    async def applied() -> bool:
        return bool(await campaign.owner.fetchval("SELECT EXISTS (SELECT FROM message_logs WHERE status <> 'pending')"))

    if campaign.consumers:
        await eventually(applied)
    assert await campaign.owner.fetchval(SOMETHING_PENDING), "the misfortune was to begin in the middle of the play"
    await misfortune(campaign)
