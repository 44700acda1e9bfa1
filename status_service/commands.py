"""What the commands do and say; __main__ parses their arguments."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import typer

from shared import kafka
from shared.publisher import Publisher
from shared.settings import read_or_exit
from shared.topics import TOPICS
from status_service import app, background, metrics, progress, redrive
from status_service.reconcile import Recount
from status_service.redrive import Filter, Redriven
from status_service.replay import Replay
from status_service.settings import CommandSettings, KafkaCommandSettings, TopicSettings


async def create_topics() -> None:
    settings = read_or_exit(TopicSettings)
    created = await kafka.create_topics(settings, TOPICS, settings.topic_partitions, settings.topic_replication)
    await kafka.check_topics(settings, TOPICS, kafka.min_insync_replicas(settings.topic_replication))
    typer.echo(f"{len(TOPICS)} topics as the services need them, {len(created)} of them new")


async def replay_statuses(since: datetime, until: datetime | None, *, dry_run: bool) -> None:
    settings = read_or_exit(CommandSettings)
    async with _parts(settings) as parts:
        with progress.shown("statuses") as show:
            replay = Replay(settings, parts.store, parts.outbox, parts.campaigns)
            found = await replay.run(since, until, show, dry_run=dry_run)
    typer.echo(
        f"{found.statuses:,} statuses read: {len(found.rows):,} rows {'would change' if dry_run else 'changed'}; "
        f"{found.without_row:,} messages had no row and were not parked, {found.undecodable:,} records were no status, "
        f"PostgreSQL refused {found.refused:,}, {found.locked:,} rows were locked and are parked"
    )


async def reconcile(*, fix: bool) -> None:
    """Look at every campaign; exit with status 1 if something is wrong and stays so."""
    settings = read_or_exit(CommandSettings)
    wrong = busy = looked = 0
    async with _parts(settings) as parts:
        with progress.shown("campaigns") as show:
            total = await parts.reconciler.number()
            async for campaign in parts.reconciler.all():
                found = await (_fixed(parts, campaign) if fix else parts.reconciler.look(campaign))
                looked += 1
                show(looked, max(total, looked))
                if found is None:
                    busy += 1
                    typer.echo(f"{campaign}: others hold its rows; run it again")
                elif not found.clean:
                    wrong += 1
                    lacks = ", ".join(f"{name} {number:+d}" for name, number in found.drift._asdict().items() if number)
                    typer.echo(
                        f"{campaign}: {found.fallen} rows below their evidence; the counts lack {lacks or 'nothing'}"
                    )
    typer.echo(
        f"{looked:,} campaigns, {wrong:,} of them wrong{' and now right' if fix and wrong else ''}, {busy:,} busy"
    )
    if busy or (wrong and not fix):
        raise typer.Exit(1)


async def _fixed(parts: app.Parts, campaign: UUID) -> Recount | None:
    outcome = await parts.reconciler.recount(campaign)
    if outcome is None:
        return None
    found, pending = outcome
    await parts.outbox.publish(pending)
    return found


async def list_dead_letters(wanted: Filter) -> None:
    settings = read_or_exit(KafkaCommandSettings)
    number = 0
    with progress.shown("dead letters") as show:
        async for letter in redrive.letters(settings, wanted, show):
            number += 1
            at = letter.at.isoformat(timespec="seconds")
            typer.echo(
                f"{at}  {letter.reason}  {letter.origin}  {letter.size} bytes  redriven {letter.redriven}x"
                f"  {letter.detail}"
            )
    typer.echo(f"{number:,} dead letters")


async def redrive_dead_letters(wanted: Filter, *, unroutable: bool, dry_run: bool) -> None:
    settings = read_or_exit(KafkaCommandSettings)
    publisher = Publisher(settings, TOPICS, app.PUBLISH_TIMEOUT_SECONDS, metrics.PUBLISHER)
    await publisher.start()
    drive = redrive.redrive_unroutable if unroutable else redrive.redrive
    try:
        with progress.shown("dead letters") as show:
            outcome: Redriven = await drive(settings, publisher, wanted, show, dry_run=dry_run)
    finally:
        await publisher.stop()
    for topic, number in sorted(outcome.published.items()):
        typer.echo(f"{number:,} records {'would go' if dry_run else 'went'} to {settings.topic_prefix}{topic}")
    typer.echo(
        f"{sum(outcome.published.values()):,} records in all; left: {outcome.guarded:,} that were redriven "
        f"{redrive.REDRIVES_AT_MOST} times already, {outcome.left:,} that "
        f"{'still cannot be split' if unroutable else 'came from no topic of ours'}"
    )


@contextlib.asynccontextmanager
async def _parts(settings: CommandSettings) -> AsyncIterator[app.Parts]:
    """Wire as the service does; what it changes is published."""
    async with app.parts(settings) as parts:
        publishing = asyncio.create_task(background.repeat("campaign_events", parts.campaigns.turn, 0))
        try:
            yield parts
        finally:
            publishing.cancel()
