"""Every example of a webhook, posted to the running receiver."""

import io
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from time import time
from typing import Any

import aiohttp
import asyncpg

from tests.integration.campaigns import campaign_row, create_campaign
from tests.integration.environment import Environment
from tests.integration.topic_reader import read_until
from tests.waiting import eventually
from tests.webhooks import topics_of, webhooks

MEBIBYTE = 1024 * 1024
FOREIGN = "wamid.HBgLMzQ2MDA1NTUwMTkVAgARGBIwRTc3RDJDNEE5QjExRjUzNjAA"
PROVES = {
    "sent": ["sent_at"],
    "delivered": ["sent_at", "delivered_at"],
    "read": ["sent_at", "delivered_at", "read_at"],
    "played": ["sent_at", "delivered_at", "read_at"],
    "failed": ["failed_at"],
}


def statuses(bodies: dict[str, bytes]) -> list[dict[str, Any]]:
    """Give every message status of the bodies, payments left out."""
    return [
        status
        for body in bodies.values()
        for entry in json.loads(body)["entry"]
        for change in entry["changes"]
        for status in change["value"].get("statuses", ())
        if status.get("type") != "payment"
    ]


def meant(found: list[dict[str, Any]]) -> dict[str, dict[str, datetime]]:
    """Give the earliest time of each kind that the statuses prove of each message."""
    times: dict[str, dict[str, datetime]] = defaultdict(dict)
    for status in found:
        at = datetime.fromtimestamp(int(status["timestamp"]), UTC).replace(tzinfo=None)
        for column in PROVES.get(status["status"], ()):
            times[status["id"]][column] = min(at, times[status["id"]].get(column, at))
    return dict(times)


async def post(http: aiohttp.ClientSession, environment: Environment, body: bytes) -> int:
    async with http.post(environment.webhook_url, data=io.BytesIO(body), headers=environment.signed(body)) as answer:
        return answer.status


async def test_every_example_is_kept_routed_and_applied(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection
) -> None:
    bodies = webhooks()
    expected = meant(statuses(bodies))
    del expected[FOREIGN]
    campaign_id = await create_campaign(database, expected)

    began = int(time() * 1000)
    answers = {name: await post(http, environment, body) for name, body in bodies.items()}

    assert set(answers.values()) == {200}, answers

    async def as_meant() -> bool:
        rows = await database.fetch("SELECT * FROM message_logs WHERE campaign_id = $1", campaign_id)
        found = {
            row["message_id"]: {column: row[column] for column in [*PROVES["read"], "failed_at"] if row[column]}
            for row in rows
        }
        return found == expected

    await eventually(as_meant)
    counted = await database.fetchrow(
        """SELECT count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read')) AS successful_sends,
        count(*) FILTER (WHERE status = 'failed') AS failed_sends,
        count(*) FILTER (WHERE status IN ('delivered', 'read')) AS delivered_count,
        count(*) FILTER (WHERE status = 'read') AS read_count FROM message_logs WHERE campaign_id = $1""",
        campaign_id,
    )
    assert counted is not None
    campaign = await campaign_row(database, campaign_id)
    assert dict(counted) == {name: campaign[name] for name in counted.keys()}  # noqa: SIM118 -- a record has no other keys

    wanted = Counter(topic for name in bodies for topic in topics_of(name))
    topics = [f"whatsapp.{topic}" for topic in wanted]

    def published(records: list[Any]) -> Counter[str]:
        # Other tests use these topics too, before this one.
        return Counter(record.topic.removeprefix("whatsapp.") for record in records if record.timestamp >= began)

    def all_there(records: list[Any]) -> bool:
        return published(records) >= wanted

    records = await read_until(environment["KAFKA_BOOTSTRAP_SERVERS"], topics, all_there)
    assert published(records) == wanted
    kept = [json.loads(record.value) for record in records if record.timestamp >= began]
    known = [document["status"] for document in kept if "status" in document]
    assert all(status in known for status in statuses(bodies))
    await database.execute("DELETE FROM campaign_logs WHERE id = $1", campaign_id)


async def test_a_large_body_that_is_no_json_is_kept_whole(
    environment: Environment, http: aiohttp.ClientSession
) -> None:
    body = b"<" * int(3.9 * MEBIBYTE)
    assert await post(http, environment, body) == 200
    topic = ["whatsapp.raw.unroutable"]
    records = await read_until(
        environment["KAFKA_BOOTSTRAP_SERVERS"], topic, lambda found: any(record.value == body for record in found)
    )
    assert all(record.key is None for record in records)


async def test_a_large_history_is_kept_whole(environment: Environment, http: aiohttp.ClientSession) -> None:
    message = {"id": "wamid.H", "text": {"body": "Grüße 😀" * 100}, "history_context": {"status": "READ"}}
    change = {"field": "history", "value": {"history": [{"threads": [{"messages": [message] * 1030}]}]}}
    body = json.dumps({"entry": [{"id": "waba-history", "changes": [change]}]}, separators=(",", ":")).encode()
    assert 2.9e6 < len(body) < 3.0e6
    assert await post(http, environment, body) == 200
    records = await read_until(
        environment["KAFKA_BOOTSTRAP_SERVERS"],
        ["whatsapp.raw.other"],
        lambda found: any(record.key == b"waba-history" for record in found),
    )
    (record,) = (record for record in records if record.key == b"waba-history")
    assert json.loads(record.value)["change"] == change


async def test_a_thousand_statuses_with_one_cut_emoji_are_applied(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection
) -> None:
    wamids = [f"wamid.cut{number}" for number in range(1000)]
    campaign_id = await create_campaign(database, wamids)
    parts: list[dict[str, Any]] = [{"id": wamid, "status": "delivered", "timestamp": "1790812833"} for wamid in wamids]
    parts[500] |= {"status": "failed", "errors": [{"code": 131026, "title": "cut \ud83d"}]}
    value = {"metadata": {"phone_number_id": "1"}, "statuses": parts}
    body = json.dumps({"entry": [{"id": "w", "changes": [{"field": "messages", "value": value}]}]}).encode()
    assert rb"\ud83d" in body
    assert await post(http, environment, body) == 200

    async def counted() -> bool:
        campaign = await campaign_row(database, campaign_id)
        return (campaign["successful_sends"], campaign["failed_sends"], campaign["delivered_count"]) == (999, 1, 999)

    await eventually(counted)
    failed = await database.fetchrow(
        "SELECT message_id, error_code, error_message FROM message_logs WHERE campaign_id = $1 AND status = 'failed'",
        campaign_id,
    )
    assert failed is not None
    assert tuple(failed) == ("wamid.cut500", 131026, "cut \ufffd\ufffd\ufffd")
    assert (await campaign_row(database, campaign_id))["status"] == "completed"
    await database.execute("DELETE FROM campaign_logs WHERE id = $1", campaign_id)
