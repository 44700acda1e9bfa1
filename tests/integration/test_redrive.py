"""Dead letters are looked at, and go back to where they came from when the cause is gone."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.stack import Stack
from shared.topics import LARGE_MESSAGE_BYTES, MEBIBYTE, STATUS_FAILED, Topic
from status_service.dead_letters import OF_DEAD_LETTERS
from status_service.redrive import AT_ONCE
from tests.integration.apart import EVENT_TOPICS, Apart, apart
from tests.integration.campaigns import create_campaign, statuses_of
from tests.integration.kafka_records import Given, arrivals
from tests.integration.processes import Service, run_to_end
from tests.integration.raw_statuses import failure, raw_status
from tests.webhooks import webhooks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def own(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Apart]:
    async with apart(stack, "redrive", tmp_path_factory.mktemp("redrive")) as made:
        yield made


@pytest.fixture(scope="module")
async def service(own: Apart, http: aiohttp.ClientSession) -> AsyncIterator[Service]:
    async with own.service(http) as running:
        yield running


def letter(own: Apart, name: str, reason: str, origin: str = "raw.inbound", redriven: int = 0) -> Given:
    """Give a dead letter as the service writes it; nobody reads raw.inbound, so that it stays as it is."""
    texts = {
        "reason": reason,
        "detail": "for a test",
        "origin_topic": own.topic(origin),
        "origin_partition": "1",
        "origin_offset": "27",
        "dead_lettered_at": "2026-11-25T10:00:00.000000+00:00",
        "redriven": str(redriven),
    }
    return Given(
        f"wamid.{name}".encode(), b"from " + name.encode(), [(key, text.encode()) for key, text in texts.items()]
    )


async def found(own: Apart, suffix: str, *names: str) -> list[ConsumerRecord]:
    """Give the records about these messages, in the order of their writing."""
    keys = {f"wamid.{name}".encode() for name in names}
    return sorted(
        (record for record in await own.records(suffix) if record.key in keys),
        key=lambda record: (record.timestamp, record.offset),
    )


def redriven(record: ConsumerRecord) -> int:
    return int(dict(record.headers)["redriven"])


async def configure(own: Apart, topic: Topic, **changes: str) -> None:
    """Change a topic's settings, or set them as they are declared."""
    admin = AIOKafkaAdminClient(bootstrap_servers=own.bootstrap_servers)
    await admin.start()
    try:
        name = topic.name(own.settings["TOPIC_PREFIX"])
        resource = ConfigResource(ConfigResourceType.TOPIC, name, topic.configuration(1) | changes)
        (response,) = await admin.alter_configs([resource])
        assert [error_code for error_code, *_ in response.resources] == [0]
    finally:
        await admin.close()


def moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


async def redrive(own: Apart, *arguments: str) -> str:
    return await own.command("dead-letters", "redrive", *arguments)


def went(number: int, guarded: int = 0, what: str = "went") -> str:
    topic = f"{number} records {what} to redrive.raw.status\n" if number else ""
    left = f"{guarded} that were redriven 3 times already, 0 that came from no topic of ours"
    return f"{topic}{number} records in all; left: {left}\n"


@pytest.mark.usefixtures("service")
async def test_letters_go_back_once_and_come_to_rest(own: Apart) -> None:
    assert await own.records("dead-letter") == [], "this test comes first: it redrives whatever is there"
    await own.database.execute(
        """ALTER TABLE message_logs ADD CONSTRAINT cause
        CHECK (message_id <> 'wamid.cured' OR status = 'pending') NOT VALID"""
    )
    campaign_id = await create_campaign(own.database, ["wamid.cured"])
    cured = raw_status("wamid.cured", "read")
    incurable, worn_out = Given(b"wamid.incurable", b"no JSON"), Given(b"wamid.worn_out", b"", [("redriven", b"2")])
    names = ("cured", "incurable", "worn_out")
    await own.produce("raw.status", [cured, incurable, worn_out])
    await own.settled()

    async def letters() -> list[tuple[bytes, int]]:
        return sorted((letter.key, redriven(letter)) for letter in await found(own, "dead-letter", *names))

    first = [(b"wamid.cured", 0), (b"wamid.incurable", 0), (b"wamid.worn_out", 2)]
    assert await letters() == first
    assert await redrive(own, "--dry-run") == went(3, what="would go")
    assert len(await found(own, "raw.status", *names)) == 3

    await own.database.execute("ALTER TABLE message_logs DROP CONSTRAINT cause")
    assert await redrive(own) == went(3)
    await own.settled()
    again = (await found(own, "raw.status", *names))[3:]
    assert {record.key: (record.value, record.headers) for record in again} == {
        b"wamid.cured": (cured.value, (("redriven", b"1"),)),
        b"wamid.incurable": (b"no JSON", (("redriven", b"1"),)),
        b"wamid.worn_out": (b"", (("redriven", b"3"),)),
    }
    assert await statuses_of(own.database, campaign_id) == {"wamid.cured": "read"}
    second = sorted([*first, (b"wamid.incurable", 1), (b"wamid.worn_out", 3)])
    assert await letters() == second

    # Of what helped nothing is left; what did not is a new letter, but not for ever.
    assert await redrive(own) == went(1, guarded=1)
    await own.settled()
    third = sorted([*second, (b"wamid.incurable", 2)])
    assert await letters() == third
    # By time everything goes again, except what came back too often.
    since = moment((await found(own, "dead-letter", *names))[0].timestamp)
    assert await redrive(own, "--until", since) == went(0)
    assert await redrive(own, "--until", "2999-01-01") == went(5, guarded=1)
    await own.settled()
    assert await letters() == sorted(
        [*third, *((b"wamid.incurable", times) for times in (1, 2, 3)), (b"wamid.worn_out", 3)]
    )
    events = Counter(record.topic for record in await own.records(*EVENT_TOPICS) if record.key == b"wamid.cured")
    assert events == {own.topic(suffix): 1 for suffix in ("status.sent", "status.delivered", "status.read")}


async def test_the_list_tells_of_letters_but_nothing_of_what_is_in_them(own: Apart) -> None:
    await own.produce("dead-letter", [letter(own, "first", "list_one"), letter(own, "second", "list_two")])
    boundary = max(record.timestamp for record in await found(own, "dead-letter", "first", "second")) + 1
    await own.produce("dead-letter", [letter(own, "third", "list_two", redriven=2)])
    (third,) = await found(own, "dead-letter", "third")
    assert third.timestamp >= boundary
    two, since, until = await asyncio.gather(
        own.command("dead-letters", "list", "--reason", "list_?wo"),
        own.command("dead-letters", "list", "--reason", "list_*", "--since", moment(boundary)),
        own.command("dead-letters", "list", "--reason", "list_*", "--until", moment(boundary)),
    )
    assert re.findall(r"list_\w+", two) == ["list_two", "list_two"]
    assert two.endswith("\n2 dead letters\n")
    at = datetime.fromtimestamp(third.timestamp / 1000, UTC).isoformat(timespec="seconds")
    assert since == f"{at}  list_two  redrive.raw.inbound/1/27  10 bytes  redriven 2x  for a test\n1 dead letters\n"
    assert sorted(re.findall(r"list_\w+", until)) == ["list_one", "list_two"]


async def test_letters_of_foreign_topics_stay(own: Apart) -> None:
    good = letter(own, "good", "foreign")
    foreign = [
        letter(own, "foreign", "foreign")._replace(headers=[("reason", b"foreign"), ("origin_topic", b"shop.orders")]),
        letter(own, "circular", "foreign", origin="dead-letter"),
        letter(own, "homeless", "foreign")._replace(headers=[("reason", b"foreign")]),
        letter(own, "garbled", "foreign")._replace(headers=[("reason", b"foreign"), ("origin_topic", b"\xff")]),
    ]
    await own.produce("dead-letter", [*foreign, good])
    output = await own.command("dead-letters", "redrive", "--reason", "foreign")
    assert output == (
        "1 records went to redrive.raw.inbound\n"
        "1 records in all; left: 0 that were redriven 3 times already, 4 that came from no topic of ours\n"
    )
    (back,) = await found(own, "raw.inbound", "good", "foreign", "circular", "homeless", "garbled")
    # Meta's words for other consumers have no headers of ours.
    assert (back.key, back.value, back.headers) == (good.key, good.value, ())


@pytest.mark.usefixtures("service")
async def test_an_event_goes_back_as_it_was_when_its_topic_takes_it(own: Apart) -> None:
    wamids = ["wamid.small", "wamid.large"]
    campaign_id = await create_campaign(own.database, wamids)
    given = [
        raw_status(wamid, "failed", errors=failure(text))
        for wamid, text in zip(wamids, ("x", MEBIBYTE * "x"), strict=True)
    ]
    await own.produce("raw.status", given)
    await own.settled()
    assert set((await statuses_of(own.database, campaign_id)).values()) == {"failed"}
    (large,) = await found(own, "dead-letter", "large")
    await own.produce("dead-letter", [letter(own, "neighbour", "kafka_SomethingElse")])

    # Too early: what Kafka takes is there, the other is a letter again.
    output = await own.command("dead-letters", "redrive", "--reason", "kafka_*", expected=1)
    assert output.endswith("\n1 that Kafka refuses are dead letters again\n")
    assert "1 records went to redrive.raw.inbound\n" in output
    assert len(await found(own, "raw.inbound", "neighbour")) == 1
    assert [record.value for record in await found(own, "dead-letter", "large")] == [large.value] * 2

    await configure(own, STATUS_FAILED, **{"max.message.bytes": str(LARGE_MESSAGE_BYTES)})
    output = await own.command("dead-letters", "redrive", "--reason", "kafka_*")
    assert "1 records went to redrive.status.failed\n1 records in all;" in output
    (event,) = await found(own, "status.failed", "large")
    assert (event.key, event.value) == (large.key, large.value)
    assert list(event.headers) == [header for header in large.headers if header[0] not in OF_DEAD_LETTERS]
    assert dict(event.headers).keys() == dict((await found(own, "status.failed", "small"))[0].headers).keys()


@pytest.mark.usefixtures("service")
async def test_bodies_that_can_be_split_by_now_are(own: Apart) -> None:
    wamid = "wamid.HBgLMTU1NTAxNzMzOTEVAgARGBI3QzFEMDlFNDRCNTJGQTkwMzEA"
    campaign_id = await create_campaign(own.database, [wamid])
    examples = webhooks()
    bodies = [
        examples["status_read"],
        b"no JSON",
        examples["batch_one_value_with_messages_and_statuses"],
        b'{"entry": 1}',
    ]
    await own.produce("raw.unroutable", [Given(None, body) for body in bodies])
    before = {suffix: len(await own.records(suffix)) for suffix in ("raw.status", "raw.inbound")}
    left = "left: 0 that were redriven 3 times already, 2 that still cannot be split\n"
    dry = await own.command("dead-letters", "redrive", "--unroutable", "--dry-run")
    assert dry == (
        f"1 records would go to redrive.raw.inbound\n2 records would go to redrive.raw.status\n3 records in all; {left}"
    )
    assert {suffix: len(await own.records(suffix)) for suffix in before} == before
    output = await own.command("dead-letters", "redrive", "--unroutable")
    assert output == dry.replace("would go", "went")
    assert len(await own.records("raw.status")) == before["raw.status"] + 2
    assert len(await own.records("raw.inbound")) == before["raw.inbound"] + 1
    await own.settled()
    assert await statuses_of(own.database, campaign_id) == {wamid: "read"}
    # It was received when it was kept, not now.
    kept = await own.records("raw.unroutable")
    assert len(kept) == len(bodies), "they stay as long as their topic keeps them"
    received = [
        json.loads(record.value)["received_at"]
        for record in await own.records("raw.status")
        if record.key == wamid.encode()
    ]
    assert sorted(datetime.fromisoformat(at).timestamp() * 1000 for at in received) == sorted(
        record.timestamp for record in kept if record.value in (bodies[0], bodies[2])
    )
    assert await own.command("dead-letters", "redrive", "--unroutable") == (
        "0 records in all; left: 0 that were redriven 3 times already, 0 that still cannot be split\n"
    )


async def test_ctrl_c_ends_a_redrive_and_the_next_one_ends_the_work(own: Apart) -> None:
    names = [f"interrupted.{number}" for number in range(15_000)]
    await own.produce("dead-letter", [letter(own, name, "interrupted") for name in names])
    async with arrivals(own.bootstrap_servers, own.topic("raw.inbound")) as some_are_back:
        output = await own.interrupted("dead-letters", "redrive", "--reason", "interrupted", once=some_are_back)
    assert output.splitlines()[-1] == "status_service: interrupted; run it again at any time"
    before = {record.key for record in await found(own, "raw.inbound", *names)}
    assert 0 < len(before) < len(names), "it was to be interrupted in the middle"
    await own.command("dead-letters", "redrive", "--reason", "interrupted")
    back = Counter(record.key for record in await found(own, "raw.inbound", *names))
    assert len(back) == len(names)
    # What was published and not yet noted came twice: one turn at most.
    assert sum(back.values()) <= len(names) + AT_ONCE
    assert await own.command("dead-letters", "redrive", "--reason", "interrupted") == went(0)


async def test_what_cannot_be_done_is_said_in_a_line(own: Apart) -> None:
    a_time = "must be a time like 2026-11-25T10:00 (UTC) or 2026-11-25T10:00+01:00"
    wrong = {
        "dead-letters list --since yesterday": f"Error: Invalid value for '--since': {a_time}",
        "replay": "Error: Missing option '--since'.",
        "dead-letters redrive": "configuration: KAFKA_BOOTSTRAP_SERVERS: Field required",
    }
    outcomes, *nowhere = await asyncio.gather(
        asyncio.gather(*(run_to_end("status_service", *arguments.split()) for arguments in wrong)),
        own.command("dead-letters", "list", expected=1, TOPIC_PREFIX="nowhere."),
        own.command("dead-letters", "redrive", expected=1, TOPIC_PREFIX="nowhere."),
    )
    assert [(status, output.splitlines()[-1]) for status, output in outcomes] == [(2, line) for line in wrong.values()]
    hint = "create them with `python -m status_service topics`"
    for output in nowhere:
        assert re.fullmatch(rf"status_service: missing topics: nowhere\.[^\n]*; {hint}\n", output), output
