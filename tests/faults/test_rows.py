"""Rows that come, change, go and are locked while their statuses are applied."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import count
from time import monotonic
from uuid import UUID

import asyncpg
import pytest
from aiokafka import ConsumerRecord

from tests.faults.campaign import SETTINGS, Campaign, lasting, nothing_is_left, played_through
from tests.faults.misfortunes import killed_alone, restarted
from tests.faults.own_campaign import drawn_plan, model_of, own_campaign, told
from tests.faults.services import Kept, Stage
from tests.integration.topic_reader import read_until
from tests.simulator.statuses import Status
from tests.waiting import eventually

LOCKED_ROWS = 20
# What is applied meanwhile does not wait for what is locked: half a second at most for a lock, and a batch.
BESIDE_LOCKS_SECONDS = 5.0
# A sweep finds within 5 s what was locked.
ADOPTED_SECONDS = 15.0


@pytest.mark.long
@pytest.mark.parametrize("rows", ["before", "during", "after"])
async def test_rows_appear_around_their_statuses(stage: Stage, chance: random.Random, rows: str) -> None:
    async def killed(campaign: Campaign) -> None:
        await killed_alone(campaign, chance, kills=10)

    await played_through(stage, killed, f"--rows={rows}", "--callback-share=0.2", *lasting(20, rate=20))


@contextlib.asynccontextmanager
async def both_services(stage: Stage, **settings: str) -> AsyncIterator[Kept]:
    """Run them, and give the consumer; in the end nothing is left over."""
    async with stage.running("ingest_service"), stage.running("status_service", **SETTINGS | settings) as consumer:
        yield consumer
        async with connected(stage) as owner:
            await nothing_is_left(owner)


@contextlib.asynccontextmanager
async def connected(stage: Stage) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(stage.database.owner)
    try:
        yield connection
    finally:
        await connection.close()


REPLACE = """
UPDATE message_logs SET message_id = replaced.message_id
FROM unnest($1::uuid[], $2::text[]) AS replaced (id, message_id)
WHERE message_logs.id = replaced.id
"""


@pytest.mark.long
async def test_rows_get_another_message_in_the_middle(stage: Stage, chance: random.Random) -> None:
    campaign = await own_campaign(stage, 300, chance)
    first = campaign.plan
    second = drawn_plan(first.campaign_id, len(first.recipients), chance)
    rows = {
        again.wamid: first.row_id(recipient.wamid)
        for recipient, again in zip(first.recipients, second.recipients, strict=True)
    }
    half = len(first.statuses) // 2
    async with both_services(stage) as consumer, connected(stage) as owner:
        sending = asyncio.create_task(campaign.send(first.statuses))
        await eventually(lambda: applied(owner, campaign.id, half // 3))
        await owner.execute(REPLACE, list(rows.values()), list(rows))
        assert not sending.done(), "the messages were to be replaced in the middle"
        await campaign.send(second.statuses[: len(second.statuses) // 2], 1)
        await restarted(stage, consumer)
        await campaign.send(second.statuses[len(second.statuses) // 2 :], 2)
        await sending
        model = model_of(rows, second.statuses)
        await campaign.becomes(model)
        await heard(stage, {(wamid, event) for wamid, event in model.events})


async def applied(owner: "asyncpg.Connection[asyncpg.Record]", campaign: UUID, number: int) -> bool:
    query = "SELECT count(*) FROM message_logs WHERE campaign_id = $1 AND status <> 'pending'"
    return int(await owner.fetchval(query, campaign)) >= number


async def heard(stage: Stage, meant: set[tuple[str, str]]) -> None:
    """Wait until each of these messages' events is published."""
    prefix = f"{stage.settings['TOPIC_PREFIX']}status."

    def all_are_there(records: list[ConsumerRecord]) -> bool:
        return meant <= {(record.key.decode(), record.topic.removeprefix(prefix)) for record in records}

    topics = [prefix + event for event in ("sent", "delivered", "read", "failed")]
    await read_until(stage.settings["KAFKA_BOOTSTRAP_SERVERS"], topics, all_are_there)


@pytest.mark.long
async def test_of_two_messages_that_name_a_row_one_gets_it(stage: Stage, chance: random.Random) -> None:
    campaign = await own_campaign(stage, 100, chance)
    plan, rival = campaign.plan, drawn_plan(campaign.id, 100, chance)
    rows = {recipient.wamid: plan.row_id(recipient.wamid) for recipient in plan.recipients}
    names = {
        other.wamid: rows[recipient.wamid]
        for one in (plan, rival)
        for recipient, other in zip(plan.recipients, one.recipients, strict=True)
    }
    statuses = [naming(status, names) for one in (plan, rival) for status in one.statuses]
    async with connected(stage) as owner:
        await owner.execute("UPDATE message_logs SET message_id = NULL WHERE campaign_id = $1", campaign.id)
        async with both_services(stage) as consumer:
            half = len(statuses) // 2
            chance.shuffle(statuses)
            await campaign.send(statuses[:half])
            await restarted(stage, consumer)
            await campaign.send(statuses[half:], 1)
            said = told(statuses)
            proven = {wamid for wamid in names if wamid in said and said[wamid].status != "pending"}
            query = "SELECT message_id, id FROM message_logs WHERE campaign_id = $1 AND message_id IS NOT NULL"

            async def claimed() -> bool:
                return len(await owner.fetch(query, campaign.id)) == len(rows)

            await eventually(claimed)
            winners = {row["message_id"]: row["id"] for row in await owner.fetch(query, campaign.id)}
            assert winners.items() <= names.items()
            await campaign.becomes(model_of(winners, statuses))
            parked = {row[0] for row in await owner.fetch("SELECT message_id FROM parked_statuses")}
            assert proven - winners.keys() == parked & names.keys()


def naming(status: Status, names: dict[str, UUID]) -> Status:
    """Let the status say whose row it is about, where it is one of ours."""
    recipient = status.recipient
    if recipient.wamid not in names:
        return status
    return replace(status, recipient=replace(recipient, callback_data=str(names[recipient.wamid])))


@pytest.mark.long
async def test_a_campaign_is_deleted_while_another_goes_on(stage: Stage, chance: random.Random) -> None:
    async def deleted(campaign: Campaign) -> None:
        for _ in range(3):
            doomed = await own_campaign(stage, 300, chance)
            half = len(doomed.plan.statuses) // 2
            await doomed.send(doomed.plan.statuses[:half])
            await eventually(lambda doomed=doomed: applied(campaign.owner, doomed.id, 50))  # type: ignore[misc]
            deleting = asyncio.create_task(campaign.owner.execute("DELETE FROM campaign_logs WHERE id = $1", doomed.id))
            seeds = count(1)
            # Statuses come before, while and after it goes, however long it takes.
            while not deleting.done():
                await doomed.send(doomed.plan.statuses[half:], next(seeds))
            await deleting

    await played_through(stage, deleted, *lasting(30))


@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.long)])
async def test_locked_rows_hold_up_nobody(stage: Stage, chance: random.Random, seconds: float) -> None:
    campaign = await own_campaign(stage, 300, chance)
    plan = campaign.plan
    rows = {recipient.wamid: plan.row_id(recipient.wamid) for recipient in plan.recipients}
    model = model_of(rows, plan.statuses)
    locked = list(rows)[:LOCKED_ROWS]
    # Those of whose messages Meta says something.
    others = [rows[wamid] for wamid in list(rows)[LOCKED_ROWS:] if model.messages[wamid].status != "pending"]
    # Each batch that wants a locked row waits for it once: they are as large as a service's own.
    async with both_services(stage, BATCH_SIZE="5000"), connected(stage) as owner, connected(stage) as idle:
        async with idle.transaction():
            await idle.execute("SELECT FROM message_logs WHERE id = ANY ($1) FOR UPDATE", [rows[one] for one in locked])
            began = monotonic()
            await campaign.send(plan.statuses)
            await eventually(lambda: none_pending(owner, others), BESIDE_LOCKS_SECONDS)
            await asyncio.sleep(max(0, seconds - (monotonic() - began)))
            query = "SELECT DISTINCT status FROM message_logs WHERE id = ANY ($1)"
            assert [row[0] for row in await owner.fetch(query, [rows[one] for one in locked])] == ["pending"]
        await campaign.becomes(model, ADOPTED_SECONDS)
        await heard(stage, set(model.events))


async def none_pending(owner: "asyncpg.Connection[asyncpg.Record]", rows: Sequence[UUID]) -> bool:
    query = "SELECT NOT EXISTS (SELECT FROM message_logs WHERE id = ANY ($1) AND status = 'pending')"
    return bool(await owner.fetchval(query, rows))
