"""Blocks end in time, and only what they run is ended."""

import asyncio

import pytest

from ingest_service.deadlines import INTERVAL_SECONDS, Deadline, Deadlines
from tests.waiting import DEADLINE_SECONDS, eventually


async def forever() -> None:
    await asyncio.Event().wait()


async def renewed(deadline: Deadline, seconds: float) -> None:
    deadline.renew(seconds)
    await forever()


async def test_a_block_ends_in_time() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError), Deadline(Deadlines(), 0.2):
        await forever()
    assert 0.2 <= loop.time() - began < 0.2 + INTERVAL_SECONDS + 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_block_that_is_left_in_time_is_left_alone() -> None:
    deadlines = Deadlines()
    with Deadline(deadlines, 0.1):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), Deadline(deadlines, 0.3):
        await forever()


async def test_a_renewed_deadline_counts_anew() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError), Deadline(Deadlines(), 0.1) as deadline:
        await renewed(deadline, 0.4)
    assert loop.time() - began >= 0.4


async def test_each_has_its_own() -> None:
    deadlines = Deadlines()
    ended: asyncio.Queue[float] = asyncio.Queue()

    async def within(seconds: float) -> None:
        with pytest.raises(TimeoutError), Deadline(deadlines, seconds):
            await forever()
        ended.put_nowait(seconds)

    waiting = [asyncio.create_task(within(seconds)) for seconds in (0.6, 0.1, 60.0)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert [await ended.get() for _ in range(2)] == [0.1, 0.6]
    assert not waiting[2].done()
    waiting[2].cancel()
    # A cancellation from elsewhere stays one.
    assert isinstance((await asyncio.gather(waiting[2], return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_cancellation_from_elsewhere_outlives_a_deadline_that_passes_with_it() -> None:
    deadlines = Deadlines()

    async def within() -> None:
        with Deadline(deadlines, 0.05):
            await forever()

    waiting = asyncio.create_task(within())
    await asyncio.sleep(0)
    (deadline,) = deadlines._running
    waiting.cancel()
    deadline.pass_()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_nothing_is_looked_at_when_nothing_runs() -> None:
    deadlines = Deadlines()
    with Deadline(deadlines, 60):
        assert deadlines._looking

    async def at_rest() -> bool:
        return not deadlines._looking

    await eventually(at_rest)


async def test_one_that_fails_takes_no_other_with_it() -> None:
    class Failing:
        at = 0.0

        def pass_(self) -> None:
            raise RuntimeError

    deadlines = Deadlines()
    deadlines.add(Failing())
    with pytest.raises(TimeoutError), Deadline(deadlines, 0.2):
        await forever()
