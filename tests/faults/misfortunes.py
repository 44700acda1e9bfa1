"""What happens to consumers in several tests."""

import asyncio
import contextlib
import random

from tests.faults.campaign import Campaign
from tests.faults.consumer_group import ConsumerGroup, consumer_group
from tests.faults.services import Kept, Stage

# A consumer that is ready has a backlog to apply, in batches of some 20 ms; so long it lives at most.
LIFE_SECONDS = 0.7
# This share of the kills falls anywhere into a start, which takes as long.
KILLED_STARTING = 0.2


async def killed_alone(campaign: Campaign, chance: random.Random, kills: int) -> None:
    """Kill the only consumer at random moments; it is started again at once, in a group that waits for nobody."""
    (consumer,) = campaign.consumers
    async with group_of(campaign.stage) as group:
        for _ in range(kills):
            await killed(consumer, group, chance)
        await consumer.ready()


async def killed(consumer: Kept, group: ConsumerGroup, chance: random.Random) -> None:
    if chance.random() > KILLED_STARTING:
        await consumer.ready()
    await asyncio.sleep(chance.uniform(0, LIFE_SECONDS))
    await consumer.kill()
    await group.bury()
    await consumer.start()


async def restarted(stage: Stage, consumer: Kept) -> None:
    """Kill the only consumer, and start it in a group that does not wait for it."""
    await consumer.kill()
    async with group_of(stage) as group:
        await group.bury()
    await consumer.start()


def group_of(stage: Stage) -> contextlib.AbstractAsyncContextManager[ConsumerGroup]:
    return consumer_group(stage.settings["KAFKA_BOOTSTRAP_SERVERS"], stage.settings["CONSUMER_GROUP"])
