"""The receiver's composition root."""

import asyncio
import contextlib
import gc
import multiprocessing
import signal
from collections.abc import AsyncIterator, Coroutine, Iterable
from http import HTTPStatus
from types import FrameType
from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest_service import metrics
from ingest_service.answers import Refusal
from ingest_service.client_identity import ClientIdentity
from ingest_service.protocol import PLACES, WEBHOOK_PATH
from ingest_service.receiver import Limits, Receiver
from ingest_service.rotation import Rotation, Secrets
from ingest_service.settings import IngestSettings
from ingest_service.verification import TokenSource, Verification
from ingest_service.verify_tokens import DatabaseTokens
from shared import internal_listener, logs
from shared.probe import Probe
from shared.publisher import Publisher
from shared.settings import read_or_exit
from shared.topics import RAW_TOPICS

# So many objects more than were freed call for the collector: more than 2,000 webhooks in flight are made of. With the
# default of 700, looking through them again and again took a third of the processor time.
GARBAGE_AT: Final = 100_000

log = structlog.get_logger(__name__)


def create() -> ASGIApp:
    """Build the application of one worker from the environment; uvicorn calls this in each."""
    settings = read_or_exit(IngestSettings)
    logs.configure(settings.log_level, "ingest_service")
    publisher = Publisher(settings, RAW_TOPICS, settings.publish_timeout, metrics.PUBLISHER)
    limits = Limits(
        body_bytes=settings.max_body_bytes,
        body_seconds=settings.body_timeout,
        body_pause_seconds=min(settings.body_pause_timeout, settings.body_timeout),
        publish_seconds=settings.publish_timeout,
        bytes_in_flight=settings.max_bytes_in_flight,
    )
    identity = ClientIdentity(settings.trusted_proxies, settings.client_cn) if settings.trusted_proxies else None
    secrets = Secrets.of(settings)
    PLACES.open(settings.max_requests_in_flight)
    receiver = Receiver(secrets.app_secrets, publisher, limits, PLACES, identity)
    verification = Verification(secrets.verify_tokens, _further_tokens(settings))

    def use(replaced: Secrets) -> None:
        receiver.use(replaced.app_secrets)
        verification.use(replaced.verify_tokens)

    rotation = Rotation(secrets, use)

    @contextlib.asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        await _unless_ended(publisher.start())
        broker = Probe("kafka", publisher.reachable, metrics.BROKER_REACHABLE)
        beside = [asyncio.create_task(work) for work in (broker.run(), rotation.run())]
        _end_with_parent()
        try:
            async with internal_listener.serving(
                {"broker": broker},
                settings.host,
                settings.internal_port,
                shared_port=settings.workers > 1,
            ):
                log.info("started", port=settings.port, internal_port=settings.internal_port)
                gc.freeze()
                gc.set_threshold(GARBAGE_AT)
                yield
        finally:
            for task in beside:
                task.cancel()
            await publisher.stop()
        log.info("stopped")

    starlette = Starlette(routes=[Route(WEBHOOK_PATH, verification.answer, methods=["GET"])], lifespan=lifespan)
    not_found = Refusal(HTTPStatus.NOT_FOUND)
    not_allowed = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, (b"allow", b"GET, HEAD, POST"))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # Past Starlette's middlewares and router: they take 4 us, a tenth of a webhook's time.
        if scope["type"] != "http":
            await starlette(scope, receive, send)
        elif scope["path"] != WEBHOOK_PATH:
            # Also with a slash more: Meta takes a redirect for a failure.
            await not_found(scope, receive, send)
        elif scope["method"] == "POST":
            await receiver(scope, receive, send)
        elif scope["method"] in {"GET", "HEAD"}:
            await starlette(scope, receive, send)
        else:
            await not_allowed(scope, receive, send)

    return application


async def _unless_ended(start: Coroutine[Any, Any, None]) -> None:
    """Give up a start when SIGTERM comes: uvicorn only notes it, and looks when the application has started."""
    loop = asyncio.get_running_loop()
    starting = loop.create_task(start)
    noting = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        if callable(noting):
            noting(number, frame)
        loop.call_soon_threadsafe(starting.cancel)

    signal.signal(signal.SIGTERM, end)
    try:
        await starting
    finally:
        signal.signal(signal.SIGTERM, noting)


def _end_with_parent() -> None:
    """End a worker whose parent was killed: it would keep the port, and no new receiver could start."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(parent.sentinel)
        log.warning("parent_ended")
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(parent.sentinel, end)


def _further_tokens(settings: IngestSettings) -> TokenSource:
    if settings.database_url is not None:
        return DatabaseTokens(str(settings.database_url))

    async def none() -> Iterable[bytes]:
        return ()

    return none
