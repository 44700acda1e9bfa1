"""`python -m tests.simulator`."""

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import SystemRandom
from typing import Annotated, Any

import asyncpg
import typer
import uvloop
from rich.console import Console

from tests.simulator.database import DATABASE_AWAY
from tests.simulator.demo import load_sample_data, play_demo
from tests.simulator.disorder import Disorder, Shuffle, Sizes
from tests.simulator.environment import Environment
from tests.simulator.failure import SimulationError
from tests.simulator.ledger import Events
from tests.simulator.misbehaviour import Platform
from tests.simulator.play import Scenario, play
from tests.simulator.presentation import print_failure, print_figures
from tests.simulator.report import write_report
from tests.simulator.send_responses import Rows
from tests.simulator.sender import Pace

# What a shell expects of a program that Ctrl-C ended.
INTERRUPTED = 130

app = typer.Typer(
    help="Plays Meta against the running services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("demo")
def demo_command() -> None:
    """Play a campaign of 10,000 recipients, show what came of it, and prove it."""
    console = Console(soft_wrap=True, highlight=False)

    def steps(environment: Environment) -> Coroutine[Any, Any, bool]:
        load_sample_data()
        return play_demo(environment, console)

    _run(console, steps)


@app.command("play")
def play_command(
    *,
    recipients: Annotated[int, typer.Option(min=1, help="Messages of the campaign.")] = 1000,
    rate: Annotated[
        float, typer.Option(min=0, help="Webhooks a second, whatever the answers; 0: as --concurrency allows.")
    ] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Webhooks under way at once when --rate is 0.")] = 32,
    max_statuses: Annotated[int, typer.Option(min=1, max=1000, help="Statuses in one body at most.")] = 1000,
    sizes: Annotated[
        Sizes, typer.Option(help="skewed: small bodies more often; full: all of --max-statuses.")
    ] = Sizes.SKEWED,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of statuses that come again.")] = 0.05,
    shuffle: Annotated[Shuffle, typer.Option(help="How far from their order statuses may come.")] = Shuffle.WINDOW,
    seed: Annotated[int | None, typer.Option(help="The same seed and start play the same; drawn if not given.")] = None,
    start: Annotated[int | None, typer.Option(help="Unix time of the first message; an hour ago if not given.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.")] = 10,
    backoff: Annotated[
        float, typer.Option(help="Seconds before the second repetition; doubled each time, to 10.")
    ] = 0.2,
    give_up: Annotated[float, typer.Option(help="Seconds in which a body is repeated until it got a 200.")] = 60,
    wait: Annotated[
        float, typer.Option(help="Seconds the services have to apply what is left after the last answer.")
    ] = 60,
    rows: Annotated[Rows, typer.Option(help="When the platform stores the wamids, in regard to the statuses.")] = (
        Rows.BEFORE
    ),
    callback_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of messages whose wamid it never hears; statuses name their rows."),
    ] = 0,
    platform: Annotated[
        Platform, typer.Option(help="rough: it writes wrong statuses and counts, and locks what the services need.")
    ] = Platform.WELL_BEHAVED,
    lock_seconds: Annotated[float, typer.Option(min=0, help="How long a rough platform holds rows locked.")] = 3,
    events: Annotated[
        Events, typer.Option(help="How often each event must be published; none: nobody listens.")
    ] = Events.NONE,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds in which the verification is asked again where nobody answers.")
    ] = 0,
    report: Annotated[Path | None, typer.Option(help="Write the outcome here, as JSON.")] = None,
) -> None:
    """Play a campaign and check the tables: exit status 0 only if all is as meant."""
    console = Console(soft_wrap=True, highlight=False)
    scenario = Scenario(
        recipients=recipients,
        seed=SystemRandom().randrange(2**32) if seed is None else seed,
        start=int(time.time()) - 3600 if start is None else start,
        disorder=Disorder(max_statuses, duplicates, shuffle, sizes),
        pace=Pace(rate, concurrency, timeout, backoff, give_up),
        wait_seconds=wait,
        rows=rows,
        callback_share=callback_share,
        platform=platform,
        lock_seconds=lock_seconds,
        events=events,
        patience_seconds=patience,
    )

    async def steps(environment: Environment) -> bool:
        outcome = await play(environment, scenario, console)
        if report is not None:
            write_report(outcome, report)
        print_figures(console, outcome)
        print_failure(console, outcome)
        console.print("all is as meant" if outcome.holds else "NOT as meant")
        return outcome.holds

    _run(console, steps)


def _run(console: Console, steps: Callable[[Environment], Coroutine[Any, Any, bool]]) -> None:
    try:
        holds = uvloop.run(steps(Environment.read()))
    except SimulationError as error:
        Console(stderr=True).print(f"simulator: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
        Console(stderr=True).print(f"simulator: the database: {error!r}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted: the simulator has stopped")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if holds else 1)
