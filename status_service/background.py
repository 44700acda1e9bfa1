"""Work that goes on beside the consumer: again and again, whatever happens to the servers meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import structlog

from shared import postgres
from shared.publisher import NotPublishedError
from status_service import metrics

# Pauses after failures grow to this.
LONGEST_PAUSE_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)


async def repeat(work: str, step: Callable[[], Awaitable[None]], pause_seconds: float) -> NoReturn:
    """Take steps until cancelled; after failures the pause between grows, and one log line a change tells."""
    failing, pause = False, pause_seconds
    while True:
        try:
            await step()
        except (NotPublishedError, *postgres.ERRORS) as error:
            metrics.BACKGROUND_FAILURES.labels(work).inc()
            if not failing:
                log.warning("background_work_fails", work=work, error=postgres.reason(error))
            failing, pause = True, min(2 * pause + 0.1, LONGEST_PAUSE_SECONDS)
        else:
            if failing:
                log.warning("background_work_goes_on", work=work)
            failing, pause = False, pause_seconds
        await asyncio.sleep(pause)
