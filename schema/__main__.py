"""`python -m schema`: what an operator runs against the database that DATABASE_URL names."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psycopg
import typer

from schema.errors import SchemaError
from schema.migrate import migrate
from schema.sample_data import load_sample_data

application = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

T = TypeVar("T")


@application.command("migrate")
def migrate_command() -> None:
    """Build the tables, or adopt the ones that are there, and set the services' roles. Safe to repeat."""
    outcome = _run(migrate)
    applied = ", ".join(outcome.applied) or "nothing was missing"
    typer.echo(f"schema: {'adopted the existing tables; ' if outcome.adopted else ''}{applied}; roles are set")


@application.command("sample-data")
def sample_data_command() -> None:
    """Load the sample users, numbers, templates and campaign. Safe to repeat; not for production."""
    _run(load_sample_data)
    typer.echo("schema: sample data is loaded; log in as primesms / Primesms or testuser / test123")


def _run(step: Callable[[str], T]) -> T:
    try:
        return step(_database_url())
    except SchemaError as error:
        typer.echo(f"schema: {error}", err=True)
    except psycopg.Error as error:
        typer.echo(f"schema: PostgreSQL refused: {error.diag.message_primary or error}", err=True)
    raise typer.Exit(1)


def _database_url() -> str:
    file = os.environ.get("DATABASE_URL_FILE")
    try:
        url = Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get("DATABASE_URL")
    except OSError as error:
        raise SchemaError(f"DATABASE_URL_FILE cannot be read: {error}") from None
    if not url:
        raise SchemaError("DATABASE_URL is not set: the owner's URL, postgresql://user:password@host:port/database")
    return url


if __name__ == "__main__":
    application()
