"""Consumers that join, leave and are killed while all statuses are about one campaign."""

import contextlib
import random
from itertools import pairwise

import orjson
import pytest
from aiokafka import ConsumerRecord

from tests.faults.campaign import SETTINGS, Campaign, lasting, played_through
from tests.faults.services import Kept, Stage
from tests.integration.topic_reader import read_until

RECONCILE_AFTER_SECONDS = 60
# From one record of a campaign to the next; timestamps are whole milliseconds.
LEAST_PAUSE_MS = 500 - 2


async def come_and_go(
    campaign: Campaign, chance: random.Random, changes: int, most: int, killed_share: float = 0.5
) -> None:
    """Let a consumer join, leave or be killed; at least two are there, and at most so many."""
    stage = campaign.stage
    async with contextlib.AsyncExitStack() as stack:
        here: list[Kept] = list(campaign.consumers)
        away = [
            await stack.enter_async_context(stage.service("status_service", **SETTINGS))
            for _ in range(most - len(here))
        ]
        for _ in range(changes):
            joins = not here[2:] or (bool(away) and chance.random() < 0.5)
            if joins:
                consumer = away.pop()
                await consumer.start()
                await consumer.ready()
                here.append(consumer)
            else:
                # The first ones are the play's own, and stay to its end.
                consumer = here.pop(chance.randrange(2, len(here)))
                await (consumer.kill() if chance.random() < killed_share else consumer.terminate())
                away.append(consumer)


async def test_consumers_come_and_go_while_the_platform_misbehaves(stage: Stage, chance: random.Random) -> None:
    async def misfortune(campaign: Campaign) -> None:
        # Those that stay would wait 10 s for one that was killed.
        await come_and_go(campaign, chance, changes=2, most=3, killed_share=0)

    await played_through(stage, misfortune, "--platform=rough", "--lock-seconds=1", *lasting(6), consumers=2)


@pytest.mark.long
@pytest.mark.parametrize("platform", ["well-behaved", "rough"])
async def test_two_to_six_consumers_come_and_go(stage: Stage, chance: random.Random, platform: str) -> None:
    async def misfortune(campaign: Campaign) -> None:
        await come_and_go(campaign, chance, changes=20, most=6)

    await played_through(stage, misfortune, f"--platform={platform}", *lasting(90), consumers=2)


@pytest.mark.long
async def test_the_last_record_is_the_row_after_the_recount(stage: Stage, chance: random.Random) -> None:
    async def misfortune(campaign: Campaign) -> None:
        await come_and_go(campaign, chance, changes=2, most=3)

    await played_through(
        stage,
        misfortune,
        "--platform=rough",
        *lasting(60),
        f"--wait={RECONCILE_AFTER_SECONDS + 10}",
        consumers=2,
        RECONCILE_AFTER=str(RECONCILE_AFTER_SECONDS),
    )


@pytest.mark.long
@pytest.mark.parametrize("consumers", [1, 4])
async def test_a_campaign_is_published_twice_a_second(stage: Stage, consumers: int) -> None:
    async def all_goes_well(_campaign: Campaign) -> None:
        pass

    (report,) = await played_through(stage, all_goes_well, *lasting(20), consumers=consumers)
    last = report["events"]["campaign"]["row"]["revision"]
    records = await read_until(
        stage.settings["KAFKA_BOOTSTRAP_SERVERS"],
        [f"{stage.settings['TOPIC_PREFIX']}campaign"],
        lambda records: any(revision(record) == last for record in records),
    )
    revisions = [revision(record) for record in records]
    assert revisions == sorted(revisions)
    # A record would be too few.
    assert len(records) > report["acknowledged_seconds"]
    assert all(later.timestamp - record.timestamp >= LEAST_PAUSE_MS for record, later in pairwise(records))


def revision(record: ConsumerRecord) -> int:
    return int(orjson.loads(record.value)["revision"])
