"""Deadlines for many tasks, looked through ten times a second: a timer for each took a seventh of a webhook's time."""

import asyncio
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

# So much later than its time a task ends at most.
INTERVAL_SECONDS: Final = 0.1


log = structlog.get_logger(__name__)


class Limited(Protocol):
    """What has time until `at`, on the event loop's clock."""

    at: float

    def pass_(self) -> None:
        """Hear that it has not been removed in time."""


class Deadlines:
    """All that run in one event loop."""

    def __init__(self) -> None:
        self._running: set[Limited] = set()
        self._looking = False

    def add(self, deadline: Limited) -> None:
        self._running.add(deadline)
        if not self._looking:
            self._look()

    def remove(self, deadline: Limited) -> None:
        self._running.discard(deadline)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for deadline in [deadline for deadline in self._running if deadline.at <= now]:
            self.remove(deadline)
            # At once, or its block could be over by then. One that fails takes no other with it.
            try:
                deadline.pass_()
            except Exception:
                log.exception("deadline_failed")
        self._looking = bool(self._running)
        if self._looking:
            loop.call_later(INTERVAL_SECONDS, self._look)


class Deadline:
    """Raises TimeoutError in a block that is not left in time, as asyncio.timeout does."""

    __slots__ = ("_all", "_cancellations", "_passed", "_task", "at")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._all = deadlines
        self._passed = False
        self.renew(seconds)

    def renew(self, seconds: float) -> None:
        """Give the block so many seconds from now on."""
        self.at = asyncio.get_running_loop().time() + seconds

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline ends a task")
        self._task = task
        self._cancellations = task.cancelling()
        self._all.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._all.remove(self)
        # Somebody else may have cancelled the task, too.
        if self._passed and self._task.uncancel() <= self._cancellations and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def pass_(self) -> None:
        self._passed = True
        self._task.cancel()
