"""The consumer's composition root."""

import asyncio
import signal

import structlog

from shared import internal_listener, kafka, logs
from shared.probe import Probe
from shared.topics import RAW_STATUS
from status_service import metrics, store
from status_service.consumer import StatusConsumer
from status_service.settings import StatusSettings

log = structlog.get_logger(__name__)


async def run(settings: StatusSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises KafkaUnavailableError, TopicsError, DatabaseUnavailableError."""
    logs.configure(settings.log_level, "status_service")
    await kafka.check_topics(settings, [RAW_STATUS])
    async with store.connected(str(settings.database_url)) as database:
        consumer = StatusConsumer(settings, database)
        probes = {
            "broker": Probe("kafka", consumer.reachable, metrics.BROKER_REACHABLE),
            "database": Probe("postgresql", database.reachable, metrics.DATABASE_REACHABLE),
        }
        try:
            await consumer.start()
            # Before this a signal ends the process at once: there is nothing to finish.
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            async with internal_listener.serving(probes, settings.host, settings.internal_port):
                probing = [asyncio.create_task(probe.run()) for probe in probes.values()]
                log.info("started", internal_port=settings.internal_port)
                try:
                    await consumer.run(stop)
                finally:
                    for task in probing:
                        task.cancel()
        finally:
            await consumer.stop()
    log.info("stopped")
