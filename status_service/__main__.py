"""`python -m status_service` runs the consumer; its commands look after topics."""

import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import typer
import uvloop

from shared import kafka, postgres
from shared.settings import read_or_exit
from shared.topics import TOPICS
from status_service import app
from status_service.database import DatabaseUnavailableError
from status_service.dead_letters import TooManyDeadLettersError
from status_service.settings import StatusSettings, TopicSettings

T = TypeVar("T")

command_line = typer.Typer(add_completion=False, help="Applies WhatsApp statuses to PostgreSQL.", no_args_is_help=False)


@command_line.callback(invoke_without_command=True)
def run(context: typer.Context) -> None:
    """Run the consumer until SIGTERM."""
    if context.invoked_subcommand is None:
        _run(app.run(read_or_exit(StatusSettings)))


@command_line.command()
def topics() -> None:
    """Create the topics that are missing, and check the others."""
    settings = read_or_exit(TopicSettings)

    async def create_and_check() -> list[str]:
        created = await kafka.create_topics(settings, TOPICS, settings.topic_partitions, settings.topic_replication)
        await kafka.check_topics(settings, TOPICS, kafka.min_insync_replicas(settings.topic_replication))
        return created

    created = _run(create_and_check())
    typer.echo(f"{len(TOPICS)} topics as the services need them, {len(created)} of them new")


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return uvloop.run(coroutine)
    except (kafka.KafkaUnavailableError, kafka.TopicsError, DatabaseUnavailableError, TooManyDeadLettersError) as error:
        sys.stderr.write(f"status_service: {error}\n")
        raise SystemExit(1) from None
    except asyncpg.PostgresError as error:
        # The text of a refusal repeats the row it refuses, and a row names a person.
        sys.stderr.write(f"status_service: PostgreSQL refused the statement: SQLSTATE {postgres.reason(error)}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    command_line()
