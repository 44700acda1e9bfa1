"""Knows whether a server answers, by asking again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from prometheus_client import Gauge

# How soon readiness notices that a server went away or came back.
PAUSE_SECONDS: Final = 3.0
# A server that is slower than this does not count as answering.
ANSWER_DEADLINE_SECONDS: Final = 3.0

log = structlog.get_logger(__name__)


class Probe:
    """One server's state: `reachable`, a gauge, and one log line a change."""

    def __init__(self, server: str, ask: Callable[[], Awaitable[bool]], gauge: Gauge) -> None:
        self._server = server
        self._ask = ask
        self._gauge = gauge
        self.reachable = True

    async def run(self) -> None:
        """Ask until cancelled; the service connected before, so the first state is reachable."""
        while True:
            self._gauge.set(self.reachable)
            await asyncio.sleep(PAUSE_SECONDS)
            reachable = await self._answers()
            if reachable != self.reachable:
                log.warning("reachable_again" if reachable else "unreachable", server=self._server)
            self.reachable = reachable

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_SECONDS):
                return await self._ask()
        except Exception:  # noqa: BLE001 -- whatever a client library raises, the server did not answer
            return False
