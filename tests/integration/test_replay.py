"""Statuses are read again, by the command or by a new consumer group: what is right stays, the rest becomes right."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest

from deploy.local.stack import Stack
from tests.integration.apart import EVENT_TOPICS, Apart, apart
from tests.integration.campaigns import create_campaign
from tests.integration.kafka_records import Given
from tests.integration.raw_statuses import AT, failure, raw_status

pytestmark = pytest.mark.slow

TABLES = ("message_logs", "campaign_logs", "parked_statuses")
# The last record of all: a test that stops a replay there has everything behind it.
GATE = "wamid.gate"
DAMAGE = """
    UPDATE message_logs SET status = 'pending', sent_at = NULL, delivered_at = NULL, read_at = NULL, failed_at = NULL,
    error_code = NULL, error_message = NULL WHERE id = ANY ($1)"""
# What a platform writes that counts its rows.
COUNT = """
    UPDATE campaign_logs AS campaign SET (successful_sends, failed_sends, delivered_count, read_count) = (
        SELECT count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read')),
        count(*) FILTER (WHERE status = 'failed'),
        count(*) FILTER (WHERE status IN ('delivered', 'read')),
        count(*) FILTER (WHERE status = 'read')
        FROM message_logs WHERE campaign_id = campaign.id)"""


@dataclass(frozen=True, slots=True)
class Played:
    """A disordered campaign of two parts that is applied, and what the tables said after each."""

    own: Apart
    # When the second part began, in Kafka's milliseconds; and how many statuses each part has.
    boundary: int
    first: int
    second: int
    strangers: int
    after_first: dict[Any, Any]
    after_second: dict[Any, Any]

    async def tables(self) -> list[dict[Any, Any]]:
        return [await self.own.rows(table) for table in TABLES]

    async def contents(self) -> dict[Any, Any]:
        return await contents(self.own)

    async def events(self) -> Counter[tuple[str, str]]:
        """Count the events of each id; a campaign's revisions are not among them."""
        records = await self.own.records(*EVENT_TOPICS)
        return Counter((record.topic, dict(record.headers)["ce_id"].decode()) for record in records)

    async def damage(self, message_ids: Iterable[str] | None = None) -> set[Any]:
        """Set rows back, as a platform may; give those that it was not true of."""
        rows = await self.own.database.fetch("SELECT id, message_id FROM message_logs WHERE status <> 'pending'")
        wanted = None if message_ids is None else set(message_ids)
        chosen = {row["id"] for row in rows if wanted is None or row["message_id"] in wanted}
        await self.own.database.execute(DAMAGE, chosen)
        await self.own.database.execute(COUNT)
        return chosen


async def contents(own: Apart) -> dict[Any, Any]:
    """Give what rows and counts say, whoever wrote them how often."""
    messages = await own.database.fetch(
        """SELECT id, message_id, status, sent_at, delivered_at, read_at, failed_at, error_code, error_message
        FROM message_logs"""
    )
    campaigns = await own.database.fetch(
        "SELECT id, status, successful_sends, failed_sends, delivered_count, read_count FROM campaign_logs"
    )
    return {row["id"]: tuple(row) for row in (*messages, *campaigns)}


def said(
    statuses: int, rows: int, without_row: int = 0, undecodable: int = 0, *, refused: int = 0, dry_run: bool = False
) -> str:
    return (
        f"{statuses:,} statuses read: {rows:,} rows {'would change' if dry_run else 'changed'}; "
        f"{without_row:,} messages had no row and were not parked, {undecodable:,} records were no status, "
        f"PostgreSQL refused {refused}, 0 rows were locked and {'would be' if dry_run else 'are'} parked\n"
        f"0 changes of templates, numbers and accounts read: 0 {'would be' if dry_run else 'were'} applied; "
        "0 had no row, 0 records were no change, PostgreSQL refused 0\n"
    )


def statuses(wamids: list[str], kinds: tuple[str, ...], chance: random.Random) -> list[Given]:
    """Give some of these statuses of every message, some of them twice, in no order."""
    given = []
    for wamid in wamids:
        for kind in chance.sample(kinds, chance.randint(1, len(kinds))):
            more = {"errors": failure(chance.choice(["a", "b"]))} if kind == "failed" else {}
            record = raw_status(wamid, kind, AT + chance.randrange(300), **more)
            given += [record] * chance.choice((1, 1, 2))
    chance.shuffle(given)
    return given


@pytest.fixture(scope="module")
async def played(
    stack: Stack, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Played]:
    chance = random.Random(1)
    async with apart(stack, "replay", tmp_path_factory.mktemp("replay")) as own:
        wamids = [f"wamid.replay.{number}" for number in range(900)]
        strangers = [f"wamid.stranger.{number}" for number in range(20)]
        for part in range(3):
            await create_campaign(own.database, wamids[part::3])
        await create_campaign(own.database, [GATE])
        first = statuses(wamids, ("sent", "delivered", "failed"), chance)
        second = statuses(wamids, ("sent", "read", "failed"), chance)
        second += [raw_status(wamid, "failed", errors=failure("not ours")) for wamid in strangers]
        async with own.service(http):
            await own.produce("raw.status", [*first, Given(b"wamid.bad", b"no JSON")])
            boundary = max(record.timestamp for record in await own.records("raw.status")) + 1
            await own.settled()
            after_first = await contents(own)
            await own.produce("raw.status", [*second, raw_status(GATE, "read")])
            await own.settled()
        # Nothing is left for a recount to do, so that whatever is written later is the replay's doing.
        await own.command("reconcile", "--fix")
        after_second = await contents(own)
        counts = (len(first), len(second) + 1, len(strangers))
        yield Played(own, boundary, *counts, after_first, after_second)


async def test_a_new_consumer_group_changes_nothing_and_publishes_nothing(
    played: Played, http: aiohttp.ClientSession
) -> None:
    before, events = await played.tables(), await played.events()
    assert len(before[2]) == played.strangers
    assert set(events.values()) == {1}
    campaigns = len(await played.own.records("campaign"))
    async with played.own.service(http, CONSUMER_GROUP="replay.anew"):
        await played.own.settled("replay.anew")
        assert await played.tables() == before
    assert await played.events() == events
    assert len(await played.own.records("campaign")) == campaigns


async def test_a_replay_of_what_is_there_changes_nothing(played: Played) -> None:
    # A stranger whose time was up is not parked again.
    await played.own.database.execute("DELETE FROM parked_statuses WHERE message_id = 'wamid.stranger.7'")
    before, events = await played.tables(), await played.events()
    campaigns = len(await played.own.records("campaign"))
    number = played.first + played.second
    expected = said(number, 0, without_row=played.strangers, undecodable=1)
    assert await played.own.command("replay", "--since", "2026-01-01") == expected
    assert await played.tables() == before
    assert await played.events() == events
    assert len(await played.own.records("campaign")) == campaigns
    assert await played.own.rows("status_outbox") == {}


async def test_what_the_platform_damaged_is_repaired_and_nothing_else(played: Played) -> None:
    database = played.own.database
    damaged = await played.damage({GATE, *(f"wamid.replay.{number}" for number in range(0, 900, 7))})
    # One row also forgot what it has told, as in a database that was restored from a backup.
    await database.execute("UPDATE message_logs SET proven = 0 WHERE message_id = $1", GATE)
    # One refuses what is told of it: the others are written all the same.
    refusing = await create_campaign(database, ["wamid.stranger.0"])
    await database.execute(
        "ALTER TABLE message_logs ADD CHECK (message_id <> 'wamid.stranger.0' OR status = 'pending') NOT VALID"
    )
    before, events = await played.tables(), await played.events()
    dry, real = (
        said(played.first + played.second, len(damaged), played.strangers - 1, 1, refused=1, dry_run=dry_run)
        for dry_run in (True, False)
    )
    assert await played.own.command("replay", "--since", "2026-01-01", "--dry-run") == dry
    assert await played.tables() == before
    # Small batches: a row that several of them change is one row.
    assert await played.own.command("replay", "--since", "2026-01-01", BATCH_SIZE="50") == real
    messages, _, parked = await played.tables()
    assert {row for row in messages if messages[row] != before[0][row]} == damaged
    await database.execute("DELETE FROM campaign_logs WHERE id = $1", refusing)
    assert await played.contents() == played.after_second
    assert parked == before[2]
    # What the rows had told before stays told, and what comes again has the same id.
    again = await played.events() - events
    topics = [played.own.topic(f"status.{name}") for name in ("delivered", "read", "sent")]
    assert sorted(topic for topic, _ in again) == topics
    assert set(again) <= set(events)
    published = [orjson.loads(record.value) for record in await played.own.records("campaign")]
    rows = await database.fetch("SELECT id::text, revision FROM campaign_logs")
    newest = {campaign["campaign_id"]: campaign["revision"] for campaign in published}
    assert newest == {row["id"]: row["revision"] for row in rows}
    assert await played.own.rows("status_outbox") == {}


async def test_only_what_was_published_in_the_given_time_is_read(played: Played) -> None:
    damaged = await played.damage()
    boundary = datetime.fromtimestamp(played.boundary / 1000, UTC).replace(tzinfo=None).isoformat()
    # Without an offset it is UTC, wherever the command runs.
    first = await played.own.command("replay", "--since", "2026-01-01", "--until", boundary, TZ="Asia/Tokyo")
    after_first = await played.contents()
    assert first == said(played.first, len(damaged) - 1, undecodable=1)
    assert {row: after_first[row] for row in damaged} == {row: played.after_first[row] for row in damaged}
    changed = sum(played.after_first[row] != played.after_second[row] for row in damaged)
    second, future = await asyncio.gather(
        played.own.command("replay", "--since", boundary, TZ="Asia/Tokyo"),
        played.own.command("replay", "--since", "2999-01-01"),
    )
    assert second == said(played.second, changed, without_row=played.strangers)
    assert await played.contents() == played.after_second
    assert future == said(0, 0)


async def test_ctrl_c_ends_a_replay_and_the_next_one_ends_the_work(played: Played) -> None:
    own = played.own
    damaged = await played.damage()
    await own.database.execute(
        f"""
        CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
        CREATE TRIGGER gate BEFORE UPDATE ON message_logs FOR EACH ROW
        WHEN (OLD.message_id = '{GATE}') EXECUTE FUNCTION wait_at_the_gate();
        """
    )
    await own.database.execute("SELECT pg_advisory_lock(4711)")

    async def at_the_gate() -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
        return bool(await own.database.fetchval(waiting))

    output = await own.interrupted("replay", "--since", "2026-01-01", once=at_the_gate, BATCH_SIZE="100")
    assert output.splitlines()[-1] == "status_service: interrupted; run it again at any time"
    interrupted = await played.contents()
    left = {row for row in damaged if interrupted[row] != played.after_second[row]}
    assert 0 < len(left) < len(damaged)
    await own.database.execute("SELECT pg_advisory_unlock(4711)")
    number = played.first + played.second
    assert await played.own.command("replay", "--since", "2026-01-01") == said(number, len(left), played.strangers, 1)
    assert await played.contents() == played.after_second
    assert await own.rows("status_outbox") == {}


async def test_a_service_that_runs_meanwhile_is_not_disturbed(played: Played, http: aiohttp.ClientSession) -> None:
    wamids = [f"wamid.meanwhile.{number}" for number in range(300)]
    new = await create_campaign(played.own.database, wamids)
    events = await played.events()
    await played.damage()
    chance = random.Random(2)
    given = statuses(wamids, ("sent", "delivered", "read"), chance) + [raw_status(wamid, "read") for wamid in wamids]
    async with played.own.service(http, BATCH_SIZE="50"):
        replaying = asyncio.create_task(played.own.command("replay", "--since", "2026-01-01", BATCH_SIZE="50"))
        for start in range(0, len(given), 100):
            await played.own.produce("raw.status", given[start : start + 100])
        await played.own.settled()
        await replaying
    after = await played.contents()
    assert {row: after[row] for row in played.after_second} == played.after_second
    assert after[new][1:] == ("completed", 300, 0, 300, 300)
    now = await played.events()
    assert now - events == {event: 1 for event in now if event not in events}
    assert len(now) == len(events) + 3 * len(wamids)
