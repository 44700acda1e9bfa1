"""A campaign of 10,000 recipients from the first webhook to the proof, for somebody who sees it for the first time."""

import subprocess
import sys
import time
from random import SystemRandom

from rich.console import Console

from tests.simulator.database import connect
from tests.simulator.disorder import Disorder, Shuffle, Sizes
from tests.simulator.environment import Environment
from tests.simulator.failure import SimulationError
from tests.simulator.play import Outcome, Scenario, play
from tests.simulator.presentation import print_errors, print_failure, print_figures, print_funnel, print_proof
from tests.simulator.queries import query
from tests.simulator.sender import Pace

RECIPIENTS = 10_000
# Long enough to watch.
TRAFFIC_SECONDS = 10
# The services are idle but for this campaign; what is not applied by then never will be.
WAIT_SECONDS = 60
SAMPLE_DATA_DEADLINE_SECONDS = 60


def load_sample_data() -> None:
    command = [sys.executable, "-m", "schema", "sample-data"]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=SAMPLE_DATA_DEADLINE_SECONDS)
    except subprocess.CalledProcessError as error:
        raise SimulationError(f"the sample data was not loaded: {error.stderr.strip()}") from None
    except subprocess.TimeoutExpired:
        raise SimulationError(f"the sample data was not loaded in {SAMPLE_DATA_DEADLINE_SECONDS} s") from None


def demo_scenario() -> Scenario:
    return Scenario(
        recipients=RECIPIENTS,
        # A new one each time: the same would give the same wamids to two campaigns.
        seed=SystemRandom().randrange(2**32),
        start=int(time.time()) - 3600,
        disorder=Disorder(max_statuses=100, duplicates=0.05, shuffle=Shuffle.WINDOW, sizes=Sizes.SKEWED),
        pace=Pace(rate=0, concurrency=1, answer_timeout_seconds=10, first_pause_seconds=0.2, give_up_seconds=30),
        wait_seconds=WAIT_SECONDS,
        spread_seconds=TRAFFIC_SECONDS,
    )


async def play_demo(environment: Environment, console: Console) -> bool:
    console.print(
        "The sample data is loaded. Meta's part is now played by a program that knows nothing of the services:"
    )
    outcome = await play(environment, demo_scenario(), console)
    await _print_campaign(environment, outcome, console)
    console.print("\nFigures", style="bold")
    print_figures(console, outcome)
    console.print("\nProof, as SQL and its result", style="bold")
    console.print(
        "The webhooks came repeated, out of order and in bodies of any size. The simulator worked out beforehand what\n"
        "must be in the tables when all have arrived, and put that beside them as meant_messages and meant_campaign."
    )
    for proof in outcome.verdict.proofs:
        print_proof(console, proof)
    if not outcome.holds:
        print_failure(console, outcome)
        return False
    console.print("\nThe proof holds: the tables say what Meta told, no more and no less.", style="bold green")
    return True


async def _print_campaign(environment: Environment, outcome: Outcome, console: Console) -> None:
    async with connect(environment.database_url) as connection:
        campaign = await connection.fetchrow(query("funnel"), outcome.campaign_id)
        errors = await connection.fetch(query("top_errors"), outcome.campaign_id)
    if campaign is None:
        raise SimulationError("the campaign is gone from campaign_logs")
    console.print(f"\nThe campaign, as campaign_logs has it: {campaign['status']}", style="bold")
    funnel = {
        "recipients": campaign["total_recipients"],
        "sent": campaign["successful_sends"],
        "delivered": campaign["delivered_count"],
        "read": campaign["read_count"],
        "failed": campaign["failed_sends"],
    }
    print_funnel(console, funnel)
    console.print("  most often because of")
    print_errors(console, ((row["error_code"], row["error_message"], row["messages"]) for row in errors))
