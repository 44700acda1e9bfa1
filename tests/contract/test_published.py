"""Everything that is really published, held against the document."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import time
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord

from shared.partition import partition_of
from shared.topics import RAW_TOPICS
from tests.contract.contract import PREFIX, faults
from tests.integration.campaigns import create_campaign
from tests.integration.environment import Environment
from tests.integration.test_webhooks import FOREIGN, PROVES, meant, post, statuses
from tests.integration.topic_reader import read_until
from tests.waiting import eventually
from tests.webhooks import topics_of, webhooks

UNDECODABLE = b"no status at all"
UNDECODABLE_KEY = b"contract"
# What Meta must say so that an event's topic is said and not implied.
SAYS = {"sent": {"sent"}, "delivered": {"delivered"}, "read": {"read", "played"}, "failed": {"failed"}}

STRENGTH = ("read", "delivered", "failed", "sent")


@dataclass(frozen=True, slots=True)
class Posted:
    """The examples that were posted: since when, for which campaign, and the events that each message proves."""

    began_ms: int
    campaign_id: UUID
    proves: dict[str, set[str]]

    def since(self, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        """Leave out what other tests published before."""
        return [record for record in records if record.timestamp >= self.began_ms and record.value != UNDECODABLE]

    def events(self, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        """Give those of this campaign."""
        return [record for record in records if orjson.loads(record.value).get("campaign_id") == str(self.campaign_id)]


@pytest.fixture(scope="module")
async def posted(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection
) -> AsyncIterator[Posted]:
    """Post every example, with a row for each message but the stranger's."""
    bodies = webhooks()
    proves = {
        message_id: {column.removesuffix("_at") for column in times}
        for message_id, times in meant(statuses(bodies)).items()
        if message_id != FOREIGN
    }
    campaign_id = await create_campaign(database, proves)
    began_ms = int(time() * 1000)
    answers = {name: await post(http, environment, body) for name, body in bodies.items()}
    assert set(answers.values()) == {200}, answers
    yield Posted(began_ms, campaign_id, proves)
    await database.execute("DELETE FROM campaign_logs WHERE id = $1", campaign_id)


@pytest.fixture
def read(environment: Environment) -> Callable[..., Any]:
    """Read topics, named without their prefix, until there is enough."""

    async def read_topics(enough: Callable[[list[ConsumerRecord]], bool], *suffixes: str) -> list[ConsumerRecord]:
        topics = [f"{PREFIX}{suffix}" for suffix in suffixes]
        return await read_until(environment["KAFKA_BOOTSTRAP_SERVERS"], topics, enough)

    return read_topics


def faults_of(records: list[ConsumerRecord]) -> list[str]:
    return [fault for record in records for fault in faults(record)]


async def test_the_raw_topics(posted: Posted, read: Callable[..., Any]) -> None:
    wanted = Counter(topic for name in webhooks() for topic in topics_of(name))

    def published(records: list[ConsumerRecord]) -> Counter[str]:
        return Counter(record.topic.removeprefix(PREFIX) for record in posted.since(records))

    records = await read(lambda found: published(found) >= wanted, *(topic.suffix for topic in RAW_TOPICS))
    assert faults_of(posted.since(records)) == []
    assert published(records) == wanted


async def test_the_bodies_that_could_not_be_split(
    environment: Environment, http: aiohttp.ClientSession, read: Callable[..., Any]
) -> None:
    body = b"<contract>"
    assert await post(http, environment, body) == 200
    records = await read(lambda found: any(record.value == body for record in found), "raw.unroutable")
    assert faults_of(records) == []


async def test_the_status_events(posted: Posted, read: Callable[..., Any]) -> None:
    wanted = Counter((kind, message_id) for message_id, kinds in posted.proves.items() for kind in kinds)

    def published(records: list[ConsumerRecord]) -> Counter[tuple[str, str]]:
        return Counter(
            (record.topic.removeprefix(f"{PREFIX}status."), record.key.decode()) for record in posted.events(records)
        )

    records = await read(lambda found: published(found) >= wanted, *(f"status.{kind}" for kind in SAYS))
    assert faults_of(posted.since(records)) == []
    assert published(records) == wanted
    events = posted.events(records)
    assert len({dict(record.headers)["ce_id"] for record in events}) == len(events)
    said = {(status["id"], status["status"]) for status in statuses(webhooks())}
    for record in events:
        event = orjson.loads(record.value)
        words = SAYS[record.topic.removeprefix(f"{PREFIX}status.")]
        # The other way round it depends on what came first.
        assert event["implied"] or any((event["message_id"], word) in said for word in words), event


async def test_the_campaign(posted: Posted, read: Callable[..., Any], database: asyncpg.Connection) -> None:
    strongest = Counter(next(kind for kind in STRENGTH if kind in kinds) for kinds in posted.proves.values())
    counts = {
        "successful_sends": strongest["read"] + strongest["delivered"] + strongest["sent"],
        "failed_sends": strongest["failed"],
        "delivered_count": strongest["read"] + strongest["delivered"],
        "read_count": strongest["read"],
    }

    def complete(records: list[ConsumerRecord]) -> bool:
        return any(counts.items() <= orjson.loads(record.value).items() for record in posted.events(records))

    records = await read(complete, "campaign")
    assert faults_of(posted.since(records)) == []
    by_revision: dict[int, dict[str, Any]] = {}
    for record in posted.events(records):
        event = orjson.loads(record.value) | {"ce_id": dict(record.headers)["ce_id"]}
        assert by_revision.setdefault(event["revision"], event) == event, "one revision says two things"
    assert len({event["ce_id"] for event in by_revision.values()}) == len(by_revision)
    newest = by_revision[max(by_revision)]
    assert newest["status"] == "completed"
    owner = await database.fetchval("SELECT user_id FROM campaign_logs WHERE id = $1", posted.campaign_id)
    assert (newest["user_id"], newest["total_recipients"]) == (str(owner), len(posted.proves))


@pytest.mark.usefixtures("posted")
async def test_what_never_got_a_row(database: asyncpg.Connection, read: Callable[..., Any]) -> None:
    async def expired() -> str | None:
        found: str | None = await database.fetchval(
            """UPDATE parked_statuses
            SET parked_at = parked_at - interval '2 days', expires_at = parked_at - interval '1 day'
            WHERE message_id = $1 RETURNING message_id""",
            FOREIGN,
        )
        return found

    assert await eventually(expired)
    records = await read(lambda found: any(record.key == FOREIGN.encode() for record in found), "unmatched")
    assert faults_of(records) == []
    (event, *_) = [orjson.loads(record.value) for record in records if record.key == FOREIGN.encode()]
    proves = meant(statuses(webhooks()))[FOREIGN]
    assert {column for column in (*PROVES["read"], "failed_at") if event[column]} == proves.keys()


async def test_what_could_not_be_applied(environment: Environment, read: Callable[..., Any]) -> None:
    topic = f"{PREFIX}raw.status"
    producer = AIOKafkaProducer(bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"], acks="all")
    await producer.start()
    try:
        partition = partition_of(UNDECODABLE_KEY, len(await producer.partitions_for(topic)))
        origin = await producer.send_and_wait(topic, UNDECODABLE, UNDECODABLE_KEY, partition)
    finally:
        await producer.stop()
    records = await read(lambda found: any(record.key == UNDECODABLE_KEY for record in found), "dead-letter")
    assert faults_of(records) == []
    (record,) = (record for record in records if record.key == UNDECODABLE_KEY)
    assert record.value == UNDECODABLE
    headers = {name: value.decode() for name, value in record.headers}
    assert (headers["reason"], headers["redriven"]) == ("undecodable", "0")
    assert headers["origin_topic"] == topic
    assert (headers["origin_partition"], headers["origin_offset"]) == (str(origin.partition), str(origin.offset))
