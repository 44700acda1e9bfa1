"""Changes of templates, numbers and accounts on their way through Kafka: in any order, again, past poison and kills."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial

import aiohttp
import asyncpg
import orjson
import pytest
from aiokafka import ConsumerRecord

from deploy.local.stack import Stack
from shared import envelope
from shared.records import Record
from tests.contract.contract import faults
from tests.integration import kafka_records
from tests.integration.apart import Apart, apart
from tests.integration.kafka_records import Given
from tests.integration.processes import running
from tests.integration.without_kafka.platform_rows import NAME, RECEIVED_AT, ROWS, TEMPLATE_ID, snapshot, webhook
from tests.waiting import eventually
from tests.webhooks import webhooks

BEGINNING = 1_790_812_000
QUALITIES = ("GREEN", "YELLOW", "RED")
PARTITIONS = 3


@pytest.fixture(scope="module")
async def parts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Apart]:
    async with apart(stack, "changes", tmp_path_factory.mktemp("changes")) as made:
        yield made


@pytest.fixture
async def own(parts: Apart) -> AsyncIterator[Apart]:
    """Give them with the rows of two accounts, whose events are told from other tests' by the rows' ids."""
    await parts.database.execute(ROWS)
    yield parts
    await parts.database.execute("DELETE FROM users; DELETE FROM whatsapp_templates")


def split(bodies: Sequence[bytes]) -> list[Record]:
    return [record for body in bodies for record in envelope.split(body, RECEIVED_AT)]


async def given(own: Apart, records: Sequence[Record]) -> None:
    """Publish them as the receiver does."""
    for suffix in ("raw.template", "raw.account"):
        wanted = [Given(record.key, record.value) for record in records if record.topic.suffix == suffix]
        if wanted:
            await own.produce(suffix, wanted)


async def settled(own: Apart) -> None:
    for suffix in ("raw.template", "raw.account"):
        group = f"{own.settings['CONSUMER_GROUP']}.changes"
        await kafka_records.committed_to_the_end(own.bootstrap_servers, group, own.topic(suffix))


async def events(own: Apart) -> list[ConsumerRecord]:
    """Give the events of this test's rows, which are as the contract has them."""
    found = await own.records("template", "account")
    assert [fault for record in found for fault in faults(record, own.topic(""), PARTITIONS)] == []
    users = {str(row[0]) for row in await own.database.fetch("SELECT user_id FROM user_business_info")}
    numbers = {str(row[0]) for row in await own.database.fetch("SELECT id FROM whatsapp_templates")}

    def is_ours(record: ConsumerRecord) -> bool:
        rows = orjson.loads(record.value)["rows"]
        return any(row.get("user_id") in users or row["id"] in numbers for found in rows.values() for row in found)

    return [record for record in found if is_ours(record)]


def ids(records: Sequence[ConsumerRecord]) -> Counter[bytes]:
    return Counter(dict(record.headers)["ce_id"] for record in records)


def quality(number: int) -> bytes:
    """Give one of many changes, each newer than the one before."""
    value = {"message_template_id": int(TEMPLATE_ID), "new_quality_score": QUALITIES[number % 3]}
    return webhook("message_template_quality_update", value, BEGINNING + number)


async def test_all_examples_in_disorder_and_twice(own: Apart, http: aiohttp.ClientSession) -> None:
    records = split([*webhooks().values()])
    disordered = [*records, *records]
    random.Random(6).shuffle(disordered)
    async with own.service(http) as service:
        await given(own, disordered)
        await settled(own)
        async with http.get(f"{service.internal_url}/metrics") as answer:
            metrics = (await answer.text()).splitlines()
    after = await snapshot(own.database)
    template = after["templates", f"first {NAME} en_US"]
    # The newest of each: the unpausing, the second quality, the category an hour later.
    assert (template["status"], template["template_id"]) == ("ACTIVE", TEMPLATE_ID)
    assert (template["quality_rating"], template["category"]) == ("RED", "MARKETING")
    assert after["whatsapp_numbers", "the number"]["verified_name"] == "Northwind Outfitters"
    assert after["whatsapp_numbers", "the number, shared"]["messaging_limit"] == "TIER_100K"
    assert after["user_business_info", "second"]["account_state"] == "DELETED"
    assert after["templates", f"stranger {NAME} en_US"]["status"] == "PENDING"
    assert set(ids(await events(own)).values()) == {1}
    assert 'status_changes_total{field="account_alerts",outcome="without_effect"} 4.0' in metrics
    assert 'status_consumer_lag{topic="raw.template"} 0.0' in metrics


@pytest.mark.slow
async def test_poison_lies_alone_and_comes_back_when_told_to(own: Apart, http: aiohttp.ClientSession) -> None:
    poison = Given(TEMPLATE_ID.encode(), b'{"change": {"field": "flows"}}')
    async with own.service(http):
        await given(own, split([quality(0)]))
        await own.produce("raw.template", [poison])
        await given(own, split([quality(1)]))
        await settled(own)
        assert (await snapshot(own.database))["templates", "second renamed en_US"]["quality_rating"] == "YELLOW"
        (letter,) = [record for record in await own.records("dead-letter") if record.value == poison.value]
        said = dict(letter.headers)
        assert (said["reason"], said["origin_topic"]) == (b"undecodable", own.topic("raw.template").encode())
    await own.command("dead-letters", "redrive")
    (_, again) = [record for record in await own.records("raw.template") if record.value == poison.value]
    assert dict(again.headers) == {"redriven": b"1"}


async def test_locked_rows_hold_up_nobody(own: Apart, http: aiohttp.ClientSession) -> None:
    platform = await asyncpg.connect(own.owner_url)
    rating = "SELECT quality_rating FROM templates WHERE template_id = $1"
    try:
        async with own.service(http):
            async with platform.transaction():
                await platform.execute("SELECT FROM templates WHERE template_id = $1 FOR UPDATE", TEMPLATE_ID)
                await given(own, split([quality(2000), webhooks()["phone_number_name_update_approved"]]))
                await given(own, split([webhooks()["account_update_deleted"]]))

                async def others_go_on() -> bool:
                    found = await snapshot(own.database)
                    state = found["user_business_info", "first"]["account_state"]
                    return bool(state and found["whatsapp_numbers", "the number"]["verified_name"])

                await eventually(others_go_on)
                assert await own.database.fetchval(rating, TEMPLATE_ID) is None
            await settled(own)
            assert await own.database.fetchval(rating, TEMPLATE_ID) == QUALITIES[2000 % 3]
    finally:
        await platform.close()


@pytest.mark.slow
async def test_a_replay_finds_rows_that_came_late(own: Apart, http: aiohttp.ClientSession) -> None:
    since = datetime.now(UTC).isoformat()
    value = {
        "message_template_id": 8005550,
        "message_template_name": "late",
        "message_template_language": "de",
        "event": "APPROVED",
    }
    async with own.service(http):
        await given(own, split([webhook("message_template_status_update", value, BEGINNING)]))
        await settled(own)
    told = len(await own.records("template"))
    await own.database.execute(
        """INSERT INTO templates (user_id, name, category, language, components)
        SELECT id, 'late', 'UTILITY', 'de', '[]' FROM users WHERE name = 'first'"""
    )
    expected = "1 changes of templates, numbers and accounts read: 1 {} applied; 0 had no row"
    assert expected.format("would be") in await own.command("replay", "--since", since, "--dry-run")
    assert expected.format("were") in await own.command("replay", "--since", since)
    row = await own.database.fetchrow("SELECT status, template_id FROM templates WHERE name = 'late'")
    assert tuple(row or ()) == ("ACTIVE", "8005550")
    assert len(await own.records("template")) == told + 1
    assert "1 changes of templates, numbers and accounts read: 0 were applied" in await own.command(
        "replay", "--since", since
    )


@pytest.mark.slow
async def test_killed_in_the_middle_again_and_again(own: Apart, http: aiohttp.ClientSession) -> None:
    # Other times than those of other tests, whose events are on the same topics.
    first, last, kills = 1000, 1399, 3
    await given(own, split([quality(number) for number in range(first, last + 1)]))

    async def applied() -> int:
        fact = "SELECT (webhook_facts #>> '{facts,quality_rating,0,0}')::integer FROM templates WHERE template_id = $1"
        at: int | None = await own.database.fetchval(fact, TEMPLATE_ID)
        return -1 if at is None else at - BEGINNING

    async def goes_on(before: int) -> bool:
        return await applied() > before + 20

    for number in range(kills):
        async with running("status_service", own.log_file, http, **own.settings) as service:
            await eventually(partial(goes_on, await applied()))
            service.process.kill()
            await service.process.wait()
        assert await applied() < last, f"kill {number} was to be in the middle"
    async with own.service(http):
        await settled(own)
    assert await applied() == last
    assert await own.database.fetchval("SELECT count(*) FROM status_outbox") == 0
    told = [orjson.loads(record.value) for record in await events(own)]
    times = {event["at"] for event in told if event["fact"] == "quality_rating"}
    meant = {datetime.fromtimestamp(BEGINNING + number, UTC).isoformat() for number in range(first, last + 1)}
    assert meant <= times
