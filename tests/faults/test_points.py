"""kill -9 between two steps of status_service that belong together."""

import random
import signal

import pytest

from tests.faults.campaign import SETTINGS, Campaign, lasting, played_through
from tests.faults.faulty_service import Point
from tests.faults.misfortunes import group_of
from tests.faults.services import Stage

# Work that another consumer would do first: it waits until the one that is to be killed is.
TAKEN_BY_ANYBODY = {Point.ENTRIES_INHERITED, Point.RECOUNT_COMMITTED}


async def killed_at(campaign: Campaign, point: Point, passing: int) -> None:
    """Run a consumer until it has killed itself there."""
    fate = {"FAULT_POINT": point, "FAULT_PASSING": str(passing)}
    async with campaign.stage.service("tests.faults.faulty_service", **SETTINGS, **fate) as doomed:
        await doomed.start()
        assert await doomed.end() == -signal.SIGKILL, f"see {campaign.stage.log_file}"


async def test_each_of_a_row_of_consumers_is_killed_at_another_point(stage: Stage) -> None:
    async def killed(campaign: Campaign) -> None:
        (consumer,) = campaign.consumers
        await consumer.terminate()
        async with group_of(stage) as group:
            for point in Point:
                await killed_at(campaign, point, 1)
                await group.bury()
        await consumer.start()
        await consumer.ready()

    await played_through(stage, killed, "--rows=during", *lasting(8))


@pytest.mark.long
@pytest.mark.parametrize("point", list(Point))
async def test_another_consumer_takes_over(stage: Stage, chance: random.Random, point: Point) -> None:
    async def killed(campaign: Campaign) -> None:
        (consumer,) = campaign.consumers
        if point in TAKEN_BY_ANYBODY:
            await consumer.terminate()
        if point is Point.ENTRIES_INHERITED:
            await killed_at(campaign, Point.BATCH_COMMITTED, chance.randint(1, 9))
        await killed_at(campaign, point, 1 if point is Point.ENTRIES_INHERITED else chance.randint(1, 4))
        if point in TAKEN_BY_ANYBODY:
            await consumer.start()
            await consumer.ready()

    await played_through(stage, killed, "--rows=during", *lasting(20))
