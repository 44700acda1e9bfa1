"""`python -m status_service` runs the consumer; its commands look after topics, counts, replays and dead letters."""

import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
import uvloop
from aiokafka.errors import KafkaError

from shared import kafka, logs, postgres
from shared.publisher import NotPublishedError
from shared.settings import read_or_exit
from status_service import app, commands
from status_service.database import DatabaseUnavailableError
from status_service.dead_letters import TooManyDeadLettersError
from status_service.redrive import Filter
from status_service.settings import StatusSettings

T = TypeVar("T")

# What a shell expects of a program that Ctrl-C ended.
INTERRUPTED = 130

# No boxes: an error is one line, also in a log.
command_line = typer.Typer(
    add_completion=False,
    help="Applies WhatsApp statuses to PostgreSQL.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
dead_letters = typer.Typer(
    help="Records that could not be applied or published.", no_args_is_help=True, rich_markup_mode=None
)
command_line.add_typer(dead_letters, name="dead-letters")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a time like 2026-11-25T10:00 (UTC) or 2026-11-25T10:00+01:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


Since = Annotated[datetime, typer.Option(parser=_time, metavar="TIME", help="Records published since, UTC.")]
MaybeSince = Annotated[
    datetime | None, typer.Option("--since", parser=_time, metavar="TIME", help="Records written since, UTC.")
]
Until = Annotated[datetime | None, typer.Option(parser=_time, metavar="TIME", help="Records published before, UTC.")]
Reason = Annotated[str, typer.Option(help="Letters of this reason; * and ? are wildcards.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing, and say what would change.")]


@command_line.callback(invoke_without_command=True)
def run(context: typer.Context) -> None:
    """Run the consumer until SIGTERM."""
    if context.invoked_subcommand is None:
        _run(app.run(read_or_exit(StatusSettings)))


@command_line.command()
def topics() -> None:
    """Create the topics that are missing, and check the others."""
    _command(commands.create_topics())


@command_line.command()
def replay(since: Since, until: Until = None, *, dry_run: DryRun = False) -> None:
    """Read statuses and changes from Kafka again into the same tables. Safe to interrupt and to repeat."""
    _command(commands.replay(since, until, dry_run=dry_run))


@command_line.command()
def reconcile(*, fix: Annotated[bool, typer.Option("--fix", help="Repair what is wrong.")] = False) -> None:
    """Compare every campaign's counts with its rows. Safe to interrupt and to repeat."""
    _command(commands.reconcile(fix=fix))


@dead_letters.command("list")
def list_dead_letters(reason: Reason = "*", since: MaybeSince = None, until: Until = None) -> None:
    """Say what lies there: when, why, where it came from; nothing of its contents."""
    _command(commands.list_dead_letters(Filter(reason, since, until)))


@dead_letters.command("redrive")
def redrive_dead_letters(
    reason: Reason = "*",
    since: MaybeSince = None,
    until: Until = None,
    *,
    unroutable: Annotated[
        bool, typer.Option("--unroutable", help="Instead: split the bodies in raw.unroutable anew.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Publish dead letters to where they came from; without times, only those that were not redriven before."""
    _command(commands.redrive_dead_letters(Filter(reason, since, until), unroutable=unroutable, dry_run=dry_run))


def _command(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a command; what it says is its output, so that only trouble is logged."""
    logs.configure("WARNING", "status_service")
    try:
        _run(coroutine)
    except KeyboardInterrupt:
        sys.stderr.write("status_service: interrupted; run it again at any time\n")
        raise SystemExit(INTERRUPTED) from None


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return uvloop.run(coroutine)
    except (
        kafka.KafkaUnavailableError,
        kafka.TopicsError,
        DatabaseUnavailableError,
        TooManyDeadLettersError,
        NotPublishedError,
    ) as error:
        sys.stderr.write(f"status_service: {error}\n")
        raise SystemExit(1) from None
    except asyncpg.PostgresError as error:
        # The text of a refusal repeats the row it refuses, and a row names a person.
        sys.stderr.write(f"status_service: PostgreSQL refused the statement: SQLSTATE {postgres.reason(error)}\n")
        raise SystemExit(1) from None
    except KafkaError as error:
        sys.stderr.write(f"status_service: Kafka refused the request: {error}\n")
        raise SystemExit(1) from None
    except postgres.ERRORS as error:
        if not postgres.passes(error):
            raise
        # Of the system: a server that is away, or a port that another process has.
        why = error.strerror if isinstance(error, OSError) and error.strerror else postgres.reason(error)
        sys.stderr.write(f"status_service: cannot reach PostgreSQL or use an address: {why}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    command_line()
