"""How an aiokafka client is left, however its own stop ends."""

import asyncio

from aiokafka.errors import KafkaError

from shared.kafka import closed


async def test_a_stop_that_ends_is_told() -> None:
    assert await closed(asyncio.sleep(0), deadline=10)


async def test_a_stop_that_hangs_is_left() -> None:
    assert not await closed(asyncio.sleep(10), deadline=0.01)


async def test_a_stop_that_ends_with_the_cancellation_of_its_own_task_cancels_nobody_else() -> None:
    async def stop() -> None:
        own = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)
        own.cancel()
        await own

    assert not await closed(stop(), deadline=10)


async def test_a_stop_that_fails_fails_nothing_else() -> None:
    async def stop() -> None:
        raise KafkaError

    assert not await closed(stop(), deadline=10)
