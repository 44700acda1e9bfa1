"""What the commands do and say; __main__ parses their arguments."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import typer

from shared import kafka
from shared.publisher import Publisher
from shared.settings import read_or_exit
from shared.topics import DEAD_LETTER, TOPICS
from status_service import app, background, metrics, progress, redrive
from status_service.changes.replay import ChangeReplay
from status_service.changes.store import ChangeStore, Outcome
from status_service.reconcile import Recount
from status_service.redrive import Filter, Redriven
from status_service.replay import Replay
from status_service.settings import CommandSettings, KafkaCommandSettings, TopicSettings
from status_service.store import Pending

# Campaigns are published in turns of half a second, so not one after the other.
PUBLISHED_AT_ONCE: Final = 100


async def create_topics() -> None:
    settings = read_or_exit(TopicSettings)
    created = await kafka.create_topics(settings, TOPICS, settings.topic_partitions, settings.topic_replication)
    await kafka.check_topics(settings, TOPICS, kafka.min_insync_replicas(settings.topic_replication))
    typer.echo(f"{len(TOPICS)} topics as the services need them, {len(created)} of them new")


async def replay(since: datetime, until: datetime | None, *, dry_run: bool) -> None:
    settings = read_or_exit(CommandSettings)
    async with _parts(settings) as parts:
        with progress.shown("statuses") as show:
            replay_statuses = Replay(settings, parts.store, parts.outbox, parts.campaigns, dry_run=dry_run)
            found = await replay_statuses.run(since, until, show)
        with progress.shown("changes") as show:
            replay_changes = ChangeReplay(settings, ChangeStore(parts.database), parts.outbox, dry_run=dry_run)
            changes = await replay_changes.run(since, until, show)
    typer.echo(
        f"{found.statuses:,} statuses read: {len(found.rows):,} rows {'would change' if dry_run else 'changed'}; "
        f"{found.without_row:,} messages had no row and were not parked, {found.undecodable:,} records were no status, "
        f"PostgreSQL refused {found.refused:,}, {found.locked:,} rows were locked and "
        f"{'would be' if dry_run else 'are'} parked"
    )
    outcomes = changes.outcomes
    typer.echo(
        f"{outcomes.total():,} changes of templates, numbers and accounts read: "
        f"{outcomes[Outcome.APPLIED] + outcomes[Outcome.ANNOUNCED]:,} {'would be' if dry_run else 'were'} applied; "
        f"{outcomes[Outcome.WITHOUT_ROW]:,} had no row, {changes.undecodable:,} records were no change, "
        f"PostgreSQL refused {changes.refused:,}"
    )


async def reconcile(*, fix: bool) -> None:
    """Look at every campaign; exit with status 1 if something is wrong and stays so."""
    settings = read_or_exit(CommandSettings)
    wrong = busy = looked = 0
    pending: list[Pending] = []
    async with _parts(settings) as parts:
        with progress.shown("campaigns") as show:
            total = await parts.reconciler.number()
            async for campaign in parts.reconciler.all():
                found = await (_fixed(parts, campaign, pending) if fix else parts.reconciler.look(campaign))
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
        await _publish(parts, pending)
    typer.echo(
        f"{looked:,} campaigns, {wrong:,} of them wrong{' and now right' if fix and wrong else ''}, {busy:,} busy"
    )
    if busy or (wrong and not fix):
        raise typer.Exit(1)


async def _fixed(parts: app.Parts, campaign: UUID, pending: list[Pending]) -> Recount | None:
    outcome = await parts.reconciler.recount(campaign)
    if outcome is None:
        return None
    pending.append(outcome[1])
    if len(pending) == PUBLISHED_AT_ONCE:
        await _publish(parts, pending)
    return outcome[0]


async def _publish(parts: app.Parts, pending: list[Pending]) -> None:
    await asyncio.gather(*map(parts.outbox.publish, pending))
    pending.clear()


async def list_dead_letters(wanted: Filter) -> None:
    settings = read_or_exit(KafkaCommandSettings)
    await kafka.check_topics(settings, [DEAD_LETTER])
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
    await kafka.check_topics(settings, TOPICS)
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
    if outcome.refused:
        typer.echo(f"{outcome.refused:,} that Kafka refuses are dead letters again")
        raise typer.Exit(1)


@contextlib.asynccontextmanager
async def _parts(settings: CommandSettings) -> AsyncIterator[app.Parts]:
    """Wire as the service does; what it changes is published, and then no longer kept."""
    async with app.parts(settings) as parts:
        works = (
            background.repeat("campaign_events", parts.campaigns.turn, 0),
            background.repeat("outbox_deletion", parts.outbox.flush, app.FLUSH_PAUSE_SECONDS),
        )
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield parts
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=app.BACKGROUND_DEADLINE_SECONDS)
        # Whoever comes next would publish it once more.
        await parts.outbox.flush()
