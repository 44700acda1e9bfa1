"""kill -9 and SIGTERM of both services, at random moments of a play."""

import asyncio
import random
from itertools import cycle

import psutil
import pytest

from tests.faults.campaign import Campaign, answers, lasting, played_through
from tests.faults.misfortunes import LIFE_SECONDS, killed_alone
from tests.faults.services import Kept, Stage
from tests.waiting import eventually

# Members of a group wait up to 10 s for one that was killed: some of these kills fall into that, some after it.
LIFE_OF_ONE_OF_SEVERAL_SECONDS = (2.0, 9.0)
RECEIVER_LIFE_SECONDS = (0.2, 1.5)
WORKERS = 2


async def test_a_consumer_is_killed_again_and_again(stage: Stage, chance: random.Random) -> None:
    await played_through(stage, lambda campaign: killed_alone(campaign, chance, kills=8), *lasting(10, rate=20))


@pytest.mark.long
async def test_a_consumer_alone_is_killed_150_times(stage: Stage, chance: random.Random) -> None:
    await played_through(stage, lambda campaign: killed_alone(campaign, chance, kills=150), *lasting(120, rate=15))


@pytest.mark.long
async def test_one_of_three_consumers_is_killed_50_times(stage: Stage, chance: random.Random) -> None:
    async def killed(campaign: Campaign) -> None:
        for _ in range(50):
            await asyncio.sleep(chance.uniform(*LIFE_OF_ONE_OF_SEVERAL_SECONDS))
            consumer = chance.choice(campaign.consumers)
            await consumer.kill()
            await consumer.start()

    await played_through(stage, killed, *lasting(90, rate=20), consumers=3)


async def receiver_killed(campaign: Campaign, chance: random.Random, kills: int) -> None:
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(*RECEIVER_LIFE_SECONDS))
        await campaign.receiver.kill()
        await campaign.receiver.start()
        await campaign.receiver.ready()


@pytest.mark.long
async def test_the_receiver_is_killed_under_load(stage: Stage, chance: random.Random) -> None:
    reports = await played_through(stage, lambda campaign: receiver_killed(campaign, chance, kills=30), *lasting(60))
    assert answers(reports) > {"200"}, "the kills were to be felt"


async def both_workers(receiver: Kept) -> list[psutil.Process]:
    async def both() -> list[psutil.Process]:
        workers = receiver.workers()
        return workers if len(workers) == WORKERS else []

    return await eventually(both)


@pytest.mark.long
async def test_workers_of_the_receiver_and_their_parent_are_killed(stage: Stage, chance: random.Random) -> None:
    async def killed(campaign: Campaign) -> None:
        receiver = campaign.receiver
        for _ in range(5):
            await asyncio.sleep(chance.uniform(*RECEIVER_LIFE_SECONDS))
            chance.choice(await both_workers(receiver)).kill()
        for _ in range(5):
            await asyncio.sleep(chance.uniform(*RECEIVER_LIFE_SECONDS))
            orphans = await both_workers(receiver)
            await receiver.kill_parent()
            _, alive = await asyncio.to_thread(psutil.wait_procs, orphans, 10)
            for worker in alive:
                worker.kill()
            assert not alive, "workers outlive their parent"
            await receiver.start()
            await receiver.ready()

    reports = await played_through(stage, killed, *lasting(45), receiver={"WORKERS": str(WORKERS)})
    assert answers(reports) > {"200"}, "the kills were to be felt"


async def terminated(campaign: Campaign, chance: random.Random, times: int) -> None:
    """End each service with SIGTERM, in turn."""
    services: cycle[Kept] = cycle([*campaign.consumers, campaign.receiver])
    for _ in range(times):
        service = next(services)
        await service.ready()
        await asyncio.sleep(chance.uniform(0, LIFE_SECONDS))
        await service.terminate()
        await service.start()
        await service.ready()


async def test_services_are_terminated_in_the_middle(stage: Stage, chance: random.Random) -> None:
    await played_through(stage, lambda campaign: terminated(campaign, chance, times=2), *lasting(5))


@pytest.mark.long
async def test_services_are_terminated_60_times(stage: Stage, chance: random.Random) -> None:
    await played_through(stage, lambda campaign: terminated(campaign, chance, times=60), *lasting(60), consumers=2)
