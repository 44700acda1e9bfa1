"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

# Nothing that these tests wait for takes longer on a busy machine with two cores.
DEADLINE_SECONDS = 30.0
PAUSE_SECONDS = 0.02

T = TypeVar("T")


async def eventually(ask: Callable[[], Awaitable[T]], deadline_seconds: float = DEADLINE_SECONDS) -> T:
    """Ask until the answer is true and give it; fail with the last answer."""
    deadline = monotonic() + deadline_seconds
    while not (answer := await ask()):
        assert monotonic() < deadline, f"not within {deadline_seconds} s: the last answer was {answer!r}"
        await asyncio.sleep(PAUSE_SECONDS)
    return answer
