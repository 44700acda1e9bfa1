"""Each example of a change of a template, a number or an account, and what it does to the seven tables."""

import json
from typing import Any

import asyncpg
import pytest

from status_service.changes.store import ChangeStore, Outcome
from tests.integration.without_kafka.change_effects import CACHED, EFFECTS, TEMPLATES, account, category
from tests.integration.without_kafka.platform_rows import (
    NAME,
    ROWS,
    TEMPLATE_ID,
    WABA,
    changed,
    changes_of,
    parts,
    snapshot,
    webhook,
)
from tests.unpublished import Unpublished, events_in_outbox
from tests.webhooks import ACCOUNT, TEMPLATE, topics_of, webhooks

# Later than every example.
NOW = 1_800_000_000


@pytest.fixture
async def rows(platform: asyncpg.Connection) -> asyncpg.Connection:
    """Give the platform's session, and the rows of two accounts."""
    await platform.execute("DELETE FROM whatsapp_templates")
    await platform.execute(ROWS)
    return platform


@pytest.fixture
def changes(service: Unpublished) -> ChangeStore:
    return ChangeStore(service.database)


def test_every_example_of_these_topics_has_its_effect_here() -> None:
    assert {name for name in webhooks() if {TEMPLATE, ACCOUNT} & set(topics_of(name))} == EFFECTS.keys()


@pytest.mark.parametrize("name", EFFECTS)
async def test_an_example_and_its_repetition(rows: asyncpg.Connection, changes: ChangeStore, name: str) -> None:
    before = await snapshot(rows)
    (change,) = changes_of(webhooks()[name])
    applied = await changes.apply(change, NOW)
    after = await snapshot(rows)
    effect = changed(before, after)
    responses = [effect[key].pop("whatsapp_response", None) for key in TEMPLATES if key in effect]
    assert effect == EFFECTS[name]
    assert applied.outcome is (Outcome.APPLIED if effect else Outcome.WITHOUT_EFFECT)
    if change.field == "message_template_status_update":
        (value,) = (found["value"] for found in parts(webhooks()[name]) if found["field"] == change.field)
        assert responses == [value, value]
    else:
        assert responses == [None] * len(responses)
    events = await events_in_outbox(rows)
    versions = await _versions(rows)
    assert (await changes.apply(change, NOW)).outcome in {Outcome.UNCHANGED, Outcome.WITHOUT_EFFECT}
    assert await _versions(rows) == versions
    assert await events_in_outbox(rows) == events


async def _versions(rows: asyncpg.Connection) -> list[Any]:
    tables = ("templates", "whatsapp_templates", "whatsapp_numbers", "user_business_info")
    return [await rows.fetch(f"SELECT id, xmin::text FROM {table} ORDER BY id") for table in tables]


WITHOUT_ROW: dict[str, dict[str, Any]] = {
    "message_template_status_update": {
        "event": "APPROVED", "message_template_id": 1, "message_template_name": "nobody's",
    },
    "phone_number_name_update": {
        "display_phone_number": "+1 555 0000", "decision": "APPROVED", "requested_verified_name": "Nobody",
    },
    "account_update": {"event": "ACCOUNT_DELETED"},
}  # fmt: skip


@pytest.mark.parametrize("field", WITHOUT_ROW)
async def test_a_change_without_its_row_is_told_and_makes_none(
    rows: asyncpg.Connection, changes: ChangeStore, field: str
) -> None:
    before = await snapshot(rows)
    (change,) = changes_of(webhook(field, WITHOUT_ROW[field], 1_790_812_800, "1"))
    assert (await changes.apply(change, NOW)).outcome is Outcome.WITHOUT_ROW
    assert await snapshot(rows) == before
    (event,) = await events_in_outbox(rows)
    data = json.loads(event.data)
    assert (data["matched"], data["rows"], data["waba_id"]) == (False, {}, "1")


async def test_an_impending_category_begins_when_it_takes_effect(
    rows: asyncpg.Connection, changes: ChangeStore
) -> None:
    before = await snapshot(rows)
    (change,) = changes_of(webhooks()["template_category_update_impending"])
    announced, begins = 1_790_812_800, 1_790_899_200
    assert (await changes.apply(change, announced)).outcome is Outcome.ANNOUNCED
    assert await changes.let_begin(begins - 1) == []
    own, _ = TEMPLATES
    assert changed(before, await snapshot(rows)) == {own: {"template_id": TEMPLATE_ID}}
    assert await events_in_outbox(rows) == []
    assert len(await changes.let_begin(begins)) == 1
    assert changed(before, await snapshot(rows)) == category("MARKETING")
    (event,) = await events_in_outbox(rows)
    data = json.loads(event.data)
    assert (event.key, data["value"], data["at"]) == (TEMPLATE_ID, "MARKETING", "2026-10-02T00:00:00+00:00")
    assert {table: len(found) for table, found in data["rows"].items()} == {"templates": 2, "whatsapp_templates": 2}
    assert await changes.let_begin(begins + 1) == []


async def test_restrictions_end_by_themselves_and_hide_no_ban(rows: asyncpg.Connection, changes: ChangeStore) -> None:
    before = await snapshot(rows)
    (restriction,) = changes_of(webhooks()["account_update_restriction"])
    told, ends = 1_790_812_851, 1_791_417_600
    await changes.apply(restriction, told)
    types = "RESTRICTED_ADD_PHONE_NUMBER_ACTION, RESTRICTED_BIZ_INITIATED_MESSAGING"
    restricted = account("RESTRICTED", types, "2026-10-01T00:00:51", "2026-10-08T00:00:00")
    assert changed(before, await snapshot(rows)) == restricted
    (ban,) = changes_of(webhooks()["account_update_disabled"])
    await changes.apply(ban, told)
    disabled = account("DISABLED", "DISABLE, October 1, 2026", "2026-10-01T00:00:50")
    assert changed(before, await snapshot(rows)) == disabled
    # Nothing that anybody would see.
    assert await changes.let_begin(ends) == []
    reinstated = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}
    (change,) = changes_of(webhook("account_update", reinstated, ends + 10), "2026-10-08T00:01:00+00:00")
    await changes.apply(change, ends + 10)
    assert changed(before, await snapshot(rows)) == account("ACTIVE", "REINSTATE", "2026-10-08T00:00:10")


async def test_what_the_platform_wrote_since_stays_until_meta_says_something_newer(
    rows: asyncpg.Connection, changes: ChangeStore
) -> None:
    (approved,) = changes_of(webhooks()["template_status_approved"])
    await changes.apply(approved, NOW)
    await rows.execute("UPDATE templates SET status = 'DRAFT' WHERE template_id = $1", TEMPLATE_ID)
    assert (await changes.apply(approved, NOW)).outcome is Outcome.UNCHANGED
    drafts = "SELECT count(*) FROM templates WHERE status = 'DRAFT'"
    assert await rows.fetchval(drafts) == 2
    (paused,) = changes_of(webhooks()["template_status_paused"])
    assert (await changes.apply(paused, NOW)).outcome is Outcome.APPLIED
    assert await rows.fetchval(drafts) == 0


async def test_a_medias_header_stays_where_the_webhook_has_none(rows: asyncpg.Connection, changes: ChangeStore) -> None:
    value = {
        "message_template_id": int(TEMPLATE_ID),
        "message_template_name": NAME,
        "message_template_language": "en-US",
        "message_template_element": "new",
    }
    (change,) = changes_of(webhook("message_template_components_update", value, 1_790_812_830))
    await changes.apply(change, NOW)
    found = await snapshot(rows)
    assert found["whatsapp_templates", "271948360554122 en-US"]["components"] == [
        {"type": "HEADER", "format": "IMAGE"},
        {"type": "BODY", "text": "new"},
    ]


async def test_a_clock_that_is_late_does_not_put_off_what_is_so(rows: asyncpg.Connection, changes: ChangeStore) -> None:
    (change,) = changes_of(webhooks()["template_quality_update"])
    told = 1_790_812_820
    assert (await changes.apply(change, told - 60)).outcome is Outcome.APPLIED
    older = {"new_quality_score": "GREEN", "message_template_id": int(TEMPLATE_ID)}
    (change,) = changes_of(webhook("message_template_quality_update", older, told - 1))
    assert (await changes.apply(change, told - 60)).outcome is Outcome.UNCHANGED
    assert await rows.fetchval("SELECT quality_rating FROM templates WHERE template_id = $1", TEMPLATE_ID) == "YELLOW"


REPLACED = {
    "templates": ("UPDATE templates SET template_id = '8005551' WHERE template_id = $1", "quality_rating"),
    "whatsapp_numbers": (
        "UPDATE whatsapp_numbers SET phone_number_id = '8005551' WHERE display_name LIKE $1",
        "throughput",
    ),
    "user_business_info": ("UPDATE user_business_info SET waba_id = '8005551' WHERE waba_id = $1", "account_state"),
}


@pytest.mark.parametrize(
    ("table", "name", "whose"),
    [
        ("templates", "template_quality_update", TEMPLATE_ID),
        ("whatsapp_numbers", "phone_number_quality_update_throughput_upgrade", "the number%"),
        ("user_business_info", "account_update_deleted", WABA),
    ],
)
async def test_what_was_said_of_another_one_does_not_count(
    rows: asyncpg.Connection, changes: ChangeStore, table: str, name: str, whose: str
) -> None:
    (change,) = changes_of(webhooks()[name])
    await changes.apply(change, NOW)
    statement, column = REPLACED[table]
    said = f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND webhook_facts IS NOT NULL"
    assert await rows.fetchval(said) == 2
    await rows.execute(statement, whose)
    assert await rows.fetchval(said) == 0


async def test_a_row_that_refuses_what_begins_stops_no_other(rows: asyncpg.Connection, changes: ChangeStore) -> None:
    before = await snapshot(rows)
    (change,) = changes_of(webhooks()["template_category_update_impending"])
    announced, begins = 1_790_812_800, 1_790_899_200
    await changes.apply(change, announced)
    await rows.execute(
        "ALTER TABLE templates ADD CONSTRAINT picky CHECK (name <> 'renamed' OR category = 'UTILITY') NOT VALID"
    )
    try:
        assert len(await changes.let_begin(begins)) == 3
    finally:
        await rows.execute("ALTER TABLE templates DROP CONSTRAINT picky")
    meant = category("MARKETING")
    own, picky = TEMPLATES
    assert changed(before, await snapshot(rows)) == {key: meant[key] for key in (own, *CACHED)}
    assert len(await changes.let_begin(begins)) == 1
    assert changed(before, await snapshot(rows))[picky] == meant[picky]


@pytest.mark.parametrize("display", [None, "", 15550142200, "\u0663\u0664"])
async def test_a_number_that_is_not_named_is_nobodys(
    rows: asyncpg.Connection, changes: ChangeStore, display: Any
) -> None:
    before = await snapshot(rows)
    value = {"display_phone_number": display, "decision": "APPROVED", "requested_verified_name": "Somebody"}
    (change,) = changes_of(webhook("phone_number_name_update", value, 1_790_812_800))
    assert (await changes.apply(change, NOW)).outcome is Outcome.UNKNOWN
    assert await snapshot(rows) == before


async def test_a_later_announcement_replaces_an_earlier_one(rows: asyncpg.Connection, changes: ChangeStore) -> None:
    first, day = 1_790_812_800, 86_400
    keys = {
        "message_template_id": int(TEMPLATE_ID),
        "message_template_name": NAME,
        "message_template_language": "en_US",
    }
    announcement = {**keys, "new_category": "UTILITY", "correct_category": "MARKETING"}
    for told, begins in [(first + 60, first + 2 * day), (first, first + day)]:
        value = announcement | {"category_update_timestamp": begins}
        (change,) = changes_of(webhook("template_category_update", value, told))
        await changes.apply(change, first + 60)
    assert await changes.let_begin(first + day) == []
    assert len(await changes.let_begin(first + 2 * day)) == 1
    assert await rows.fetchval("SELECT category FROM templates WHERE template_id = $1", TEMPLATE_ID) == "MARKETING"
