"""`python -m deploy.local`: up, down, and run a command while the stack is up."""

import contextlib
import os
from collections.abc import Iterator
from typing import Annotated

import psycopg
import typer

from deploy.local.broker_choice import broker_kind
from deploy.local.commands import StartError
from deploy.local.foreground import run_in_foreground
from deploy.local.interruption import Interrupted, note_signals
from deploy.local.services import CHECKOUT
from deploy.local.stack import External, Stack

RUN_DIRECTORY = CHECKOUT / ".run"

application = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@application.command()
def up() -> None:
    """Start what is not running: PostgreSQL, the broker, the services."""
    with _told_errors():
        stack = _stack()
        started = stack.up()
        _tell(f"Started: {', '.join(sorted(started.names)) or 'nothing, all was running'}")
        for name, value in stack.directory.read_environment().items():
            if name.endswith("_URL") and name != "DATABASE_URL":
                typer.echo(f"{name}={value}")
        typer.echo(f"The other names, with the secrets, are in {stack.directory.file('env')}")


@application.command()
def down() -> None:
    """Stop everything and remove what it wrote."""
    with _told_errors():
        stopped = Stack(RUN_DIRECTORY).down()
        _tell(f"Stopped: {', '.join(sorted(stopped)) or 'nothing was running'}")


@application.command(context_settings={"ignore_unknown_options": True})
def run(
    command: Annotated[list[str], typer.Argument(help="the command and its arguments, after --")],
    *,
    keep: Annotated[bool, typer.Option(help="leave running what was started")] = False,
) -> None:
    """Run a command with the names of .run/env in its environment, while the stack is up."""
    with _told_errors():
        stack = _stack()
        started = stack.up()
        status = None
        try:
            status = run_in_foreground(command, stack.environment())
        finally:
            if not keep:
                stack.stop(started, keep_logs=status != 0)
        raise typer.Exit(status)


def _stack() -> Stack:
    external = None
    if os.environ.get("EXTERNAL") == "1":
        try:
            external = External(os.environ["DATABASE_URL"], os.environ["KAFKA_BOOTSTRAP_SERVERS"])
        except KeyError as missing:
            raise StartError(f"EXTERNAL=1 needs {missing.args[0]}") from None
    return Stack(RUN_DIRECTORY, broker_kind(os.environ.get("BROKER")), external=external, report=_tell)


@contextlib.contextmanager
def _told_errors() -> Iterator[None]:
    note_signals()
    try:
        yield
    except Interrupted as interrupted:
        _tell(f"{interrupted}; what this call had started is stopped")
        raise typer.Exit(128 + interrupted.signal_number) from None
    except (StartError, OSError, psycopg.Error) as error:
        _tell(f"deploy.local: {error}")
        raise typer.Exit(1) from None


def _tell(line: str) -> None:
    # A terminal that is gone must not keep us from stopping what we started.
    with contextlib.suppress(OSError):
        typer.echo(line, err=True)


if __name__ == "__main__":
    application()
