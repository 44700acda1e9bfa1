"""Publishes to a benchmark's topics as a receiver does."""

import contextlib
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.publisher import Publisher, PublisherMetrics
from shared.settings import ServiceSettings
from shared.topics import RAW_STATUS
from tests.bench.ground import Place

# Nobody waits here for an answer.
PUBLISH_TIMEOUT_SECONDS = 30.0


@contextlib.asynccontextmanager
async def publisher(place: Place) -> AsyncIterator[Publisher]:
    """Give a publisher to raw.status, with metrics that nobody reads."""
    settings = ServiceSettings(
        kafka_bootstrap_servers=place.settings["KAFKA_BOOTSTRAP_SERVERS"], topic_prefix=place.settings["TOPIC_PREFIX"]
    )
    registry = CollectorRegistry()
    metrics = PublisherMetrics(
        Counter("records", "", ["topic"], registry=registry),
        Histogram("latency", "", registry=registry),
        Counter("failures", "", registry=registry),
    )
    opened = Publisher(settings, [RAW_STATUS], PUBLISH_TIMEOUT_SECONDS, metrics)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()
