"""What cannot be applied or published leaves its neighbours alone, is kept as it was, and never becomes a flood."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from aiokafka import ConsumerRecord

from deploy.local.stack import Stack
from shared.topics import LARGE_MESSAGE_BYTES, MEBIBYTE
from tests.integration.apart import EVENT_TOPICS, Apart, apart
from tests.integration.campaigns import campaign_row, create_campaign, statuses_of
from tests.integration.kafka_records import Given
from tests.integration.processes import Service
from tests.integration.raw_statuses import RECEIVED_AT, failure, raw_status, record_of
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def own(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Apart]:
    async with apart(stack, "dead_letters", tmp_path_factory.mktemp("dead_letters")) as made:
        yield made


@pytest.fixture(scope="module")
async def service(own: Apart, http: aiohttp.ClientSession) -> AsyncIterator[Service]:
    async with own.service(http) as running:
        yield running


async def letters(own: Apart, keys: set[bytes]) -> list[ConsumerRecord]:
    """Give the dead letters of these keys, in the order of the records that they were."""
    found = [record for record in await own.records("dead-letter") if record.key in keys]
    return sorted(found, key=lambda record: (record.key, int(headers(record)["origin_offset"] or 0)))


def headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


@pytest.mark.usefixtures("service")
async def test_poisoned_records_among_ten_thousand_lie_alone(own: Apart) -> None:
    wamids = [f"wamid.many.{number}" for number in range(10_000)]
    campaign_id = await create_campaign(own.database, wamids)
    given = [raw_status(wamid, "read") for wamid in wamids]
    poisoned = {
        17: Given(b"wamid.poison.0", b'{"status": {"id": "wamid.poison.0"'),
        4000: Given(b"wamid.poison.1", record_of({"id": "", "status": "read"}).value),
        4001: Given(b"wamid.poison.2", raw_status("wamid." + 294 * "x", "read").value),
        7500: Given(b"wamid.poison.3", None),
        9999: Given(b"wamid.poison.4", b'["\xff\x00", null]'),
    }
    for position, poison in poisoned.items():
        given.insert(position, poison)
    before = datetime.now(UTC)
    places = await own.produce("raw.status", given)
    await own.settled()
    assert Counter((await statuses_of(own.database, campaign_id)).values()) == {"read": 10_000}
    campaign = await campaign_row(own.database, campaign_id)
    assert (campaign["read_count"], campaign["status"]) == (10_000, "completed")

    found = await letters(own, {poison.key or b"" for poison in poisoned.values()})
    assert [(letter.key, letter.value) for letter in found] == [
        (poison.key, poison.value or b"") for poison in poisoned.values()
    ]
    for letter, position in zip(found, poisoned, strict=True):
        said = headers(letter)
        place = places[position]
        assert before <= datetime.fromisoformat(said.pop("dead_lettered_at")) <= datetime.now(UTC)
        assert said.pop("detail")
        assert said == {
            "reason": "undecodable",
            "origin_topic": own.topic("raw.status"),
            "origin_partition": str(place.partition),
            "origin_offset": str(place.offset),
            "redriven": "0",
        }


@pytest.mark.usefixtures("service")
async def test_what_postgresql_refuses_is_found_among_thousands(own: Apart) -> None:
    await own.database.execute(
        """
        ALTER TABLE message_logs ADD CHECK (message_id <> 'wamid.refused.1234' OR status = 'pending') NOT VALID;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON message_logs FOR EACH ROW
        WHEN (OLD.message_id = 'wamid.refused.4321') EXECUTE FUNCTION refuse();
        """
    )
    wamids = [f"wamid.refused.{number}" for number in range(5000)]
    campaign_id = await create_campaign(own.database, wamids)
    given = [raw_status(wamid, "delivered") for wamid in wamids]
    given.insert(1300, raw_status("wamid.refused.1234", "read"))
    await own.produce("raw.status", given)
    await own.settled()
    statuses = await statuses_of(own.database, campaign_id)
    refused = {"wamid.refused.1234": "pending", "wamid.refused.4321": "pending"}
    assert statuses == dict.fromkeys(wamids, "delivered") | refused
    campaign = await campaign_row(own.database, campaign_id)
    assert (campaign["successful_sends"], campaign["delivered_count"], campaign["read_count"]) == (4998, 4998, 0)

    # Of the message that is refused every record is a letter: together they are what its row is to become.
    found = await letters(own, {wamid.encode() for wamid in refused})
    assert [(letter.value, headers(letter)["reason"]) for letter in found] == [
        (given[1234].value, "sqlstate_23514"),
        (given[1300].value, "sqlstate_23514"),
        (given[4322].value, "sqlstate_P0001"),
    ]
    # However often the batch was halved, each of the others has its events once.
    events = Counter(
        (record.topic, record.key.decode())
        for record in await own.records(*EVENT_TOPICS)
        if record.key.startswith(b"wamid.refused.")
    )
    topics = (own.topic("status.sent"), own.topic("status.delivered"))
    assert events == {(topic, wamid): 1 for topic in topics for wamid in wamids if wamid not in refused}


@pytest.mark.usefixtures("service")
async def test_what_can_be_made_fit_is_no_dead_letter(own: Apart) -> None:
    odd_times = ("0", "99999999999", "9" * 30, "-1", "soon", "", None, 10**30, 1.5, True, ["1790812812"])
    given = {
        f"wamid.odd.{number}": {"status": "read", "timestamp": timestamp} for number, timestamp in enumerate(odd_times)
    } | {
        "wamid.odd.nul": {"status": "failed", "errors": failure("NUL \x00 in it")},
        "wamid.odd.surrogate": {"status": "failed", "errors": failure("cut \ud83d")},
        "wamid.odd.code": {"status": "failed", "errors": failure("far", code=2**31)},
    }
    campaign_id = await create_campaign(own.database, given)
    # These ids can be no row's; their statuses are parked like any stranger's.
    strangers = {"wamid.odd.\x00", "wamid.odd.\ud83d"}
    records = [record_of({"id": wamid, **status}) for wamid, status in given.items()]
    records += [record_of({"id": wamid, "status": "sent"}) for wamid in strangers]
    await own.produce("raw.status", records)
    await own.settled()
    assert await letters(own, {record.key or b"" for record in records}) == []
    rows = await own.database.fetch("SELECT * FROM message_logs WHERE campaign_id = $1", campaign_id)
    received_at = RECEIVED_AT.replace(tzinfo=None)
    for row in rows:
        if row["message_id"].removeprefix("wamid.odd.").isdigit():
            assert (row["status"], row["read_at"]) == ("read", received_at), row
        else:
            assert (row["status"], row["failed_at"]) == ("failed", received_at), row
    failed = {row["message_id"]: (row["error_code"], row["error_message"]) for row in rows if row["error_message"]}
    assert failed == {
        "wamid.odd.nul": (131026, "NUL \ufffd in it"),
        "wamid.odd.surrogate": (131026, "cut \ufffd\ufffd\ufffd"),
        "wamid.odd.code": (None, "far"),
    }
    parked = await own.database.fetch("SELECT message_id FROM parked_statuses WHERE message_id LIKE 'wamid.odd.%'")
    assert {row[0] for row in parked} == {"wamid.odd.\ufffd", "wamid.odd.\ufffd\ufffd\ufffd"}


@pytest.mark.usefixtures("service")
async def test_an_event_that_is_too_large_for_its_topic_is_a_dead_letter_alone(own: Apart) -> None:
    wamids = [f"wamid.large.{number}" for number in range(60)]
    campaign_id = await create_campaign(own.database, wamids)
    text = "x" * (MEBIBYTE + 1)
    given = [raw_status(wamid, "failed", errors=failure("no")) for wamid in wamids]
    given[30] = raw_status(wamids[30], "failed", errors=failure(text))
    await own.produce("raw.status", given)
    await own.settled()
    assert set((await statuses_of(own.database, campaign_id)).values()) == {"failed"}
    (letter,) = await letters(own, {wamid.encode() for wamid in wamids})
    said = headers(letter)
    assert said.pop("dead_lettered_at")
    assert said.pop("ce_id")
    assert said.pop("ce_time")
    assert said == {
        "ce_specversion": "1.0",
        "ce_source": "/prime-sms/status_service",
        "ce_type": "whatsapp.status.failed",
        "content-type": "application/json",
        "reason": "kafka_MessageSizeTooLargeError",
        "detail": "Kafka refuses this event",
        "origin_topic": own.topic("status.failed"),
        "origin_partition": "",
        "origin_offset": "",
        "redriven": "0",
    }
    assert (letter.key, json.loads(letter.value)["error"]["message"]) == (wamids[30].encode(), text)
    events = Counter(record.key.decode() for record in await own.records("status.failed"))
    assert {wamid: events[wamid] for wamid in wamids} == dict.fromkeys(wamids, 1) | {wamids[30]: 0}


@pytest.mark.usefixtures("service")
async def test_a_record_larger_than_a_fetch_is_applied_with_its_neighbours(own: Apart) -> None:
    wamids = [f"wamid.fetched.{number}" for number in range(3)]
    campaign_id = await create_campaign(own.database, wamids)
    given = [raw_status(wamid, "read") for wamid in wamids]
    given[1] = raw_status(wamids[1], "read", unknown="x" * (LARGE_MESSAGE_BYTES - MEBIBYTE))
    await own.produce("raw.status", given, partition=0)
    await own.settled()
    assert set((await statuses_of(own.database, campaign_id)).values()) == {"read"}


async def test_many_bad_records_in_a_row_stop_the_service_and_a_higher_limit_goes_on(
    stack: Stack, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with apart(stack, "brake", tmp_path_factory.mktemp("brake"), DEAD_LETTER_SHARE="0") as own:
        wamids = [f"wamid.brake.{number}" for number in range(50)]
        campaign_id = await create_campaign(own.database, wamids)
        bad = [Given(f"wamid.bad.{number}".encode(), b"no JSON") for number in range(6)]
        given = [raw_status(wamid, "read") for wamid in wamids]
        given[40:40] = bad
        # In one partition, so that they are in a row also when they are read.
        await own.produce("raw.status", given, partition=0)

        status, output = await own.service_to_end(DEAD_LETTER_RUN="5")
        last = output.splitlines()[-1]
        assert (status, last) == (
            1,
            "status_service: more than DEAD_LETTER_RUN (5) records in a row cannot be applied",
        )
        assert "Traceback" not in output
        assert await own.records("dead-letter") == []

        strangers = [f"wamid.stranger.{number}" for number in range(20)]
        await own.database.execute(
            """INSERT INTO parked_statuses (message_id, sent_at, said, parked_at, expires_at)
            SELECT message_id, '2026-10-01', 1, '2026-10-01', '2026-10-02' FROM unnest($1::text[]) AS message_id""",
            strangers,
        )
        async with own.service(http, DEAD_LETTER_RUN="6"):
            await own.settled()

            async def expired() -> bool:
                return len(await own.records("unmatched")) == len(strangers)

            # A message that never got a row is no dead letter, however many there are.
            await eventually(expired)
        found = await letters(own, {record.key or b"" for record in bad})
        assert [(letter.key, letter.value) for letter in found] == [(record.key, record.value) for record in bad]
        assert len(await own.records("dead-letter")) == len(bad)
        assert set((await statuses_of(own.database, campaign_id)).values()) == {"read"}
        assert (await campaign_row(own.database, campaign_id))["read_count"] == 50
        # What the first service had applied before it stopped is not told again.
        events = Counter((record.topic, record.key.decode()) for record in await own.records(*EVENT_TOPICS))
        told = dict.fromkeys(("status.sent", "status.delivered", "status.read"), wamids)
        told["unmatched"] = strangers
        assert events == {(own.topic(suffix), name): 1 for suffix, names in told.items() for name in names}
