"""`reconcile` says which campaigns are wrong, and makes them right when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from deploy.local.stack import Stack
from tests.integration.apart import Apart, apart
from tests.integration.campaigns import campaign_row

# A row that is as it should be, for each status.
RIGHT = {
    "pending": (None, None, None, None),
    "sent": (1, None, None, None),
    "delivered": (1, 2, None, None),
    "read": (1, 2, 3, None),
    "failed": (1, None, None, 4),
}
COUNTS = ("successful_sends", "failed_sends", "delivered_count", "read_count")


@pytest.fixture(scope="module")
async def parts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Apart]:
    async with apart(stack, "reconcile", tmp_path_factory.mktemp("reconcile")) as made:
        yield made


@pytest.fixture
async def own(parts: Apart) -> AsyncIterator[Apart]:
    """Give them without campaigns."""
    yield parts
    await parts.database.execute("DELETE FROM users")


Times = tuple[int | None, ...]


async def campaign(
    own: Apart,
    rows: Sequence[tuple[str | None, Times]],
    counts: tuple[int | None, ...],
    campaign_id: UUID | None = None,
) -> UUID:
    """Write a campaign with these rows and counts, as if nobody had touched it since."""
    made = campaign_id or uuid4()
    name = made.hex
    database = own.database
    user_id = await database.fetchval(
        "INSERT INTO users (name, email, username, password) VALUES ($1, $1, $1, '') RETURNING id", name
    )
    await database.execute(
        """INSERT INTO campaign_logs (id, user_id, campaign_name, template_used, total_recipients, successful_sends,
        failed_sends, delivered_count, read_count) VALUES ($1, $2, $3, 'autumn_sale', $4, $5, $6, $7, $8)""",
        made,
        user_id,
        name,
        len(rows) + 1,
        *counts,
    )
    await database.executemany(
        """INSERT INTO message_logs (campaign_id, recipient_number, message_id, status, sent_at, delivered_at, read_at,
        failed_at) VALUES ($1, $2, $3, $4, to_timestamp($5::integer) AT TIME ZONE 'UTC',
        to_timestamp($6::integer) AT TIME ZONE 'UTC', to_timestamp($7::integer) AT TIME ZONE 'UTC',
        to_timestamp($8::integer) AT TIME ZONE 'UTC')""",
        [(made, str(number), f"wamid.{name}.{number}", status, *times) for number, (status, times) in enumerate(rows)],
    )
    await database.execute("DELETE FROM changed_campaigns WHERE campaign_id = $1", made)
    assert (await campaign_row(database, made))["revision"] == 0
    return made


def rows(*statuses: str) -> list[tuple[str | None, Times]]:
    return [(status, RIGHT[status]) for status in statuses]


async def wrong_campaigns(own: Apart) -> dict[UUID, str]:
    """Write a campaign for each thing that can be wrong, and one that is right; give what is to be said of them."""
    all_of_them = rows("pending", "sent", "delivered", "read", "failed", "read")
    fallen: list[tuple[str | None, Times]] = [
        ("failed", RIGHT["read"]),
        ("pending", RIGHT["delivered"]),
        (None, RIGHT["failed"]),
        ("sent", RIGHT["sent"]),
    ]
    await campaign(own, all_of_them, (4, 1, 3, 2))
    overwritten = await campaign(own, all_of_them, (99, 1, 3, 0))
    unknown = await campaign(own, all_of_them, (None, None, 3, 2))
    below = await campaign(own, fallen, (1, 1, 0, 0))
    untouched = await campaign(own, all_of_them, (0, 0, 0, 0))
    right_rows = "0 rows below their evidence; the counts lack"
    return {
        overwritten: f"{right_rows} successful_sends -95, read_count +2",
        unknown: f"{right_rows} successful_sends +4, failed_sends +1",
        below: "3 rows below their evidence; the counts lack nothing",
        untouched: f"{right_rows} successful_sends +4, failed_sends +1, delivered_count +3, read_count +2",
    }


def lines(about: Mapping[UUID, str], last: str) -> list[str]:
    return [*(f"{campaign_id}: {about[campaign_id]}" for campaign_id in sorted(about)), last]


async def everything(own: Apart) -> list[Any]:
    tables = ("message_logs", "campaign_logs", "parked_statuses", "changed_campaigns", "status_outbox")
    return [await own.rows(table) for table in tables]


async def test_what_is_wrong_is_named_and_then_repaired(own: Apart) -> None:
    about = await wrong_campaigns(own)
    before = await everything(own)
    output = await own.command("reconcile", expected=1)
    assert output.splitlines() == lines(about, "5 campaigns, 4 of them wrong, 0 busy")
    assert await everything(own) == before
    assert await own.records("campaign") == []

    output = await own.command("reconcile", "--fix")
    assert output.splitlines() == lines(about, "5 campaigns, 4 of them wrong and now right, 0 busy")
    repaired = {}
    for campaign_id in about:
        row = await campaign_row(own.database, campaign_id)
        repaired[campaign_id] = tuple(row[count] for count in COUNTS)
        assert row["status"] == "processing"
    assert set(repaired.values()) == {(4, 1, 3, 2), (3, 1, 2, 1)}
    below = next(campaign_id for campaign_id, text in about.items() if text.startswith("3 rows"))
    statuses = await own.database.fetch(
        "SELECT status FROM message_logs WHERE campaign_id = $1 ORDER BY recipient_number", below
    )
    assert [row[0] for row in statuses] == ["read", "delivered", "failed", "sent"]
    # Whoever subscribes hears of it.
    published = {}
    for record in await own.records("campaign"):
        content = orjson.loads(record.value)
        published[UUID(content["campaign_id"])] = tuple(content[count] for count in COUNTS)
    assert {campaign_id: published[campaign_id] for campaign_id in about} == repaired

    again = await asyncio.gather(own.command("reconcile"), own.command("reconcile", "--fix"))
    assert set(again) == {"5 campaigns, 0 of them wrong, 0 busy\n"}
    assert await own.rows("status_outbox") == {}


async def test_a_campaign_that_others_hold_is_named_and_the_others_are_repaired(own: Apart) -> None:
    about = await wrong_campaigns(own)
    overwritten, _, below, _ = about
    platform = await asyncpg.connect(own.owner_url)
    try:
        transaction = platform.transaction()
        await transaction.start()
        await platform.execute("SELECT FROM campaign_logs WHERE id = $1 FOR UPDATE", overwritten)
        await platform.execute("SELECT FROM message_logs WHERE campaign_id = $1 FOR UPDATE", below)
        held = about | dict.fromkeys((overwritten, below), "others hold its rows; run it again")
        output = await own.command("reconcile", "--fix", expected=1)
        assert output.splitlines() == lines(held, "5 campaigns, 2 of them wrong and now right, 2 busy")
        await transaction.rollback()
    finally:
        await platform.close()
    rest = {campaign_id: about[campaign_id] for campaign_id in (overwritten, below)}
    output = await own.command("reconcile", "--fix")
    assert output.splitlines() == lines(rest, "5 campaigns, 2 of them wrong and now right, 0 busy")
    assert await own.rows("parked_statuses") == {}, "there is no status to be kept"


async def test_ctrl_c_ends_it_and_the_next_one_ends_the_work(own: Apart) -> None:
    campaigns = [await campaign(own, rows("read"), (0, 0, 0, 0), UUID(int=2**100 + number)) for number in range(20)]
    lacks = "0 rows below their evidence; the counts lack successful_sends +1, delivered_count +1, read_count +1"
    platform = await asyncpg.connect(own.owner_url)
    try:
        transaction = platform.transaction()
        await transaction.start()
        await platform.execute("SELECT FROM campaign_logs WHERE id >= $1 FOR UPDATE", campaigns[8])

        async def waits() -> bool:
            return bool(
                await own.database.fetchval(
                    """SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'"""
                )
            )

        output = await own.interrupted("reconcile", "--fix", once=waits)
        await transaction.rollback()
    finally:
        await platform.close()
    expected = lines(dict.fromkeys(campaigns[:8], lacks), "status_service: interrupted; run it again at any time")
    assert output.splitlines() == expected
    output = await own.command("reconcile", "--fix")
    expected = lines(dict.fromkeys(campaigns[8:], lacks), "20 campaigns, 12 of them wrong and now right, 0 busy")
    assert output.splitlines() == expected
