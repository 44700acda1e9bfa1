"""The consumer's composition root."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import structlog

from shared import internal_listener, kafka, logs, postgres
from shared.probe import Probe
from shared.publisher import Publisher
from shared.topics import CONSUMED_TOPICS, EVENT_TOPICS, RAW_ACCOUNT, RAW_STATUS, RAW_TEMPLATE
from status_service import background, database, metrics, parking, reconcile
from status_service.applier import Applier
from status_service.campaigns import CampaignPublisher
from status_service.changes import consumer as changes_loop
from status_service.changes.consumer import ChangeConsumer
from status_service.changes.store import ChangeStore
from status_service.consumer import StatusConsumer
from status_service.database import Database
from status_service.dead_letters import Brake, DeadLetters
from status_service.outbox import Outbox
from status_service.parking import Sweep
from status_service.reconcile import BackgroundReconciler, Reconciler
from status_service.settings import CommandSettings, StatusSettings
from status_service.store import Store, Unmatched
from status_service.subscription import Subscription

# A broker's election of a leader is over by then; what is not acknowledged is tried again.
PUBLISH_TIMEOUT_SECONDS: Final = 5.0
# What was published last is forgotten before the service ends, so that the next one has nothing to publish again.
LAST_FLUSH_DEADLINE_SECONDS: Final = 1.0
# What goes on beside the consumer gives up its sessions.
BACKGROUND_DEADLINE_SECONDS: Final = 1.0
FLUSH_PAUSE_SECONDS: Final = 0.5
# A consumer that was killed is missed for this long.
INHERIT_PAUSE_SECONDS: Final = 5.0
EXPIRE_PAUSE_SECONDS: Final = 5.0

# So many objects more than were freed call for the collector. A batch is a hundred thousand, all gone with it; with the
# default of 700 looking through them again and again took a quarter of the processor time.
GARBAGE_AT: Final = 200_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service and its commands have in common."""

    database: Database
    publisher: Publisher
    store: Store
    dead_letters: DeadLetters
    campaigns: CampaignPublisher
    outbox: Outbox
    reconciler: Reconciler


@contextlib.asynccontextmanager
async def parts(settings: CommandSettings) -> AsyncIterator[Parts]:
    """Connect and wire. Raises KafkaUnavailableError, TopicsError, DatabaseUnavailableError."""
    await kafka.check_topics(settings, [*CONSUMED_TOPICS, *EVENT_TOPICS])
    async with database.connected(str(settings.database_url)) as connected:
        publisher = Publisher(settings, EVENT_TOPICS, PUBLISH_TIMEOUT_SECONDS, metrics.PUBLISHER)
        store = Store(connected, settings.parked_ttl)
        dead_letters = DeadLetters(publisher, settings.topic_prefix)
        campaigns = CampaignPublisher(connected, publisher)
        outbox = Outbox(connected, publisher, campaigns, dead_letters)
        await publisher.start()
        try:
            yield Parts(connected, publisher, store, dead_letters, campaigns, outbox, Reconciler(connected, store))
        finally:
            await publisher.stop()
            with contextlib.suppress(*postgres.ERRORS):
                async with asyncio.timeout(LAST_FLUSH_DEADLINE_SECONDS):
                    await outbox.flush()


async def run(settings: StatusSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises KafkaUnavailableError, TopicsError, DatabaseUnavailableError, TooManyDeadLettersError.
    """
    logs.configure(settings.log_level, "status_service")
    gc.freeze()
    gc.set_threshold(GARBAGE_AT)
    async with parts(settings) as wired:
        brake = Brake(settings.dead_letter_run, settings.dead_letter_share)
        applier = Applier(wired.store, wired.outbox, wired.campaigns, brake, Unmatched.PARK)
        statuses = Subscription(settings, settings.consumer_group, [RAW_STATUS])
        consumer = StatusConsumer(statuses, settings.batch_size, applier, wired.dead_letters, brake)
        # A group of its own, so that neither waits for the other.
        changes = Subscription(settings, f"{settings.consumer_group}.changes", [RAW_TEMPLATE, RAW_ACCOUNT])
        change_consumer = ChangeConsumer(
            changes,
            ChangeStore(wired.database),
            wired.outbox,
            wired.dead_letters,
            Brake(settings.dead_letter_run, settings.dead_letter_share),
        )
        probes = {
            "broker": Probe("kafka", statuses.reachable, metrics.BROKER_REACHABLE),
            "database": Probe("postgresql", wired.database.reachable, metrics.DATABASE_REACHABLE),
        }
        try:
            await statuses.start()
            # Before this a signal ends the process at once: there is nothing to finish.
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            async with internal_listener.serving(probes, settings.host, settings.internal_port):
                log.info("started", internal_port=settings.internal_port)
                beside = [probe.run() for probe in probes.values()] + _background(settings, wired)
                beside += [
                    change_consumer.run(),
                    background.repeat("announced_changes", change_consumer.let_begin, changes_loop.PAUSE_SECONDS),
                ]
                await _beside(beside, consumer.run(stop))
        finally:
            await asyncio.gather(statuses.stop(), changes.stop())
    log.info("stopped")


def _background(settings: StatusSettings, wired: Parts) -> list[Coroutine[Any, Any, None]]:
    sweep = Sweep(wired.database, wired.store, wired.outbox, wired.campaigns, settings.parked_ttl)
    reconciler = BackgroundReconciler(wired.reconciler, wired.outbox, settings.reconcile_after)
    return [
        background.repeat("outbox_deletion", wired.outbox.flush, FLUSH_PAUSE_SECONDS),
        background.repeat("outbox_inheritance", wired.outbox.inherit, INHERIT_PAUSE_SECONDS),
        background.repeat("campaign_events", wired.campaigns.turn, 0),
        background.repeat("adoption", sweep.adopt, parking.PAUSE_SECONDS),
        background.repeat("expiry", sweep.expire, EXPIRE_PAUSE_SECONDS),
        background.repeat("parked_gauges", sweep.measure, parking.GAUGES_PAUSE_SECONDS),
        background.repeat("reconciliation", reconciler.turn, reconcile.PAUSE_SECONDS),
    ]


async def _beside(works: list[Coroutine[Any, Any, None]], main: Coroutine[Any, Any, None]) -> None:
    """Run the main work to its end with the others beside it; a fault in one of those is raised."""
    main_task = asyncio.create_task(main)
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait([main_task, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (main_task, *tasks):
            task.cancel()
        await asyncio.wait([main_task, *tasks], timeout=BACKGROUND_DEADLINE_SECONDS)
