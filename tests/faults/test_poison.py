"""One record among ten thousand that cannot be applied, and all of them once more."""

import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.faults.campaign import Campaign, played_through
from tests.faults.misfortunes import group_of, killed
from tests.faults.services import Stage
from tests.integration.processes import run_to_end
from tests.integration.topic_reader import read_until
from tests.waiting import eventually

UNDECODABLE = b'{"status": {"id": "", "status": "'
# As many statuses as there are in a play of 4,000 recipients.
RECORDS = 10_000
APPLIED_AGAIN_DEADLINE_SECONDS = 60.0
# PostgreSQL refuses this row whatever is merged into it, as a customer's own constraint does.
REFUSED_ROW = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this row'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON message_logs FOR EACH ROW WHEN (OLD.message_id = 'wamid.poison')
EXECUTE FUNCTION refuse();
WITH campaign AS (
  INSERT INTO campaign_logs (user_id, campaign_name, template_used) SELECT id, 'refused', '' FROM users RETURNING id
)
INSERT INTO message_logs (campaign_id, recipient_number, message_id) SELECT id, '', 'wamid.poison' FROM campaign
"""
ROWS = "SELECT id, xmin::text, message_logs::text FROM message_logs ORDER BY id"
CAMPAIGNS = """
SELECT id, revision, successful_sends, failed_sends, delivered_count, read_count FROM campaign_logs ORDER BY id
"""


async def ends(consumer: AIOKafkaConsumer, *topics: str) -> dict[TopicPartition, int]:
    """Give how many records there ever were in each partition."""
    partitions = [
        TopicPartition(topic, number) for topic in topics for number in await consumer._client._wait_on_metadata(topic)
    ]
    found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return found


@contextlib.asynccontextmanager
async def reader(stage: Stage) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.settings["KAFKA_BOOTSTRAP_SERVERS"])
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def written(stage: Stage) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]], dict[TopicPartition, int]]:
    """Give every row with the transaction that wrote it, the campaigns, and how many events were ever published."""
    owner = await asyncpg.connect(stage.database.owner)
    prefix = stage.settings["TOPIC_PREFIX"]
    try:
        async with reader(stage) as consumer:
            topics = [f"{prefix}status.{event}" for event in ("sent", "delivered", "read", "failed")]
            events = await ends(consumer, *topics, f"{prefix}campaign", f"{prefix}unmatched")
        rows, campaigns = [[tuple(row) for row in await owner.fetch(query)] for query in (ROWS, CAMPAIGNS)]
    finally:
        await owner.close()
    return rows, campaigns, events


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.long)])
async def test_poison_is_found_while_the_consumer_is_killed_and_a_replay_changes_nothing(
    stage: Stage, chance: random.Random, kills: int
) -> None:
    raw = f"{stage.settings['TOPIC_PREFIX']}raw.status"
    refused = orjson.dumps(
        {
            "status": {"id": "wamid.poison", "status": "delivered", "timestamp": "1790812812"},
            "received_at": datetime.now(UTC).isoformat(),
        }
    )

    async def poisoned(campaign: Campaign) -> None:
        (consumer,) = campaign.consumers
        await consumer.terminate()
        await campaign.owner.execute(REFUSED_ROW)
        async with reader(stage) as records:
            for number, poison in enumerate((UNDECODABLE, refused), start=1):
                await eventually(lambda number=number: at_least(records, raw, number * RECORDS // 3))  # type: ignore[misc]
                async with AIOKafkaProducer(bootstrap_servers=stage.settings["KAFKA_BOOTSTRAP_SERVERS"]) as producer:
                    await producer.send_and_wait(raw, poison, key=b"wamid.poison", partition=number)
        await consumer.start()
        async with group_of(stage) as group:
            for _ in range(kills):
                await killed(consumer, group, chance)
        await consumer.ready()

    options = ("--recipients=4000", "--concurrency=4", "--max-statuses=100")
    await played_through(stage, poisoned, *options, BATCH_SIZE="5000")
    letters = await read_until(
        stage.settings["KAFKA_BOOTSTRAP_SERVERS"],
        [f"{stage.settings['TOPIC_PREFIX']}dead-letter"],
        lambda letters: {letter.value for letter in letters} == {UNDECODABLE, refused},
    )
    assert {dict(letter.headers)["reason"] for letter in letters} == {b"undecodable", b"sqlstate_P0001"}
    await applied_once_more(stage)


async def at_least(consumer: AIOKafkaConsumer, topic: str, number: int) -> bool:
    return sum((await ends(consumer, topic)).values()) >= number


async def applied_once_more(stage: Stage) -> None:
    """Apply the whole topic in a new consumer group, and by the replay; neither changes or publishes anything."""
    before = await written(stage)
    group = uuid4().hex
    async with stage.running("status_service", CONSUMER_GROUP=group):
        await eventually(lambda: is_at_the_end(stage, group), APPLIED_AGAIN_DEADLINE_SECONDS)
    assert await written(stage) == before
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    settings = {**stage.settings, "DATABASE_URL": stage.database.status_service}
    status, output = await run_to_end("status_service", "replay", "--since", since, **settings)
    assert status == 0, output
    assert " 0 rows changed" in output, output
    assert await written(stage) == before


async def is_at_the_end(stage: Stage, group: str) -> bool:
    """Tell whether the group has committed all that there is."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.settings["KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    async with reader(stage) as consumer:
        there = await ends(consumer, f"{stage.settings['TOPIC_PREFIX']}raw.status")
    return there == {partition: offset.offset for partition, offset in committed.items()}
