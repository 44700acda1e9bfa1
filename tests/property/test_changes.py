"""The laws of changes: any order and any repetition of what Meta says of somebody ends in the same rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import json_text
from shared.envelope import ACCOUNT_FIELDS, TEMPLATE_FIELDS
from status_service.changes import accounts, tables, templates
from status_service.changes.change import Change, decode
from status_service.changes.event import change_event
from status_service.changes.store import ChangeStore
from status_service.changes.tables import FACTS_OF, OF_ACCOUNT_STATE, ORDERS, Table
from status_service.changes.timeline import NOTHING, Fact, Held, Timelines, as_json, from_json, order
from tests.integration.without_kafka.platform_rows import NAME, ROWS, TEMPLATE_ID, WABA, changes_of, snapshot, webhook
from tests.property.world import World

BEGINNING = 1_790_812_800
# Later than everything that is said here begins or ends.
END = BEGINNING + 1000
RECEIVED_AT = "2026-10-01T00:00:50+00:00"

Value = Mapping[str, Any]
times = st.integers(BEGINNING, BEGINNING + 5)
later = st.integers(BEGINNING - 5, BEGINNING + 20)
words = st.sampled_from(["NONE", "A", "B"])

KEYS = {
    "message_template_id": st.just(int(TEMPLATE_ID)),
    "message_template_name": st.just(NAME),
    "message_template_language": st.sampled_from(["en_US", "en-US"]),
}
NUMBER = {"display_phone_number": st.sampled_from(["15550142200", "+1 555-014-2200"])}
limits = st.sampled_from([*accounts.LIMITS, *accounts.LIMIT_OF_NUMBER, "TIER_NEW"])
# What is too long, too far off, or not what it looks like.
odd_times = st.sampled_from(
    ["9" * 5000, "9999-12-31T23:59:59-08:00", "0001-01-01T00:00:00+01:00", 1e300, 10**30, -1, "\u0663\u00b2", True]
)
restrictions = st.lists(
    st.fixed_dictionaries(
        {
            "restriction_type": st.sampled_from([*sorted(accounts.RESTRICTION_TYPES), "NEW"]),
            "expiration": later | later.map(str) | st.none() | st.just("2026-10-01T00:00:07+0000") | odd_times,
        }
    ),
    max_size=3,
)

# Where values have parts.
NESTED = (
    "category_update_timestamp",
    "correct_category",
    "rejection_info",
    "ban_info",
    "restriction_info",
    "disconnection_info",
    "message_template_buttons",
    "reason",
)

# By Meta's field, what it may say; now and then what nobody knows.
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "message_template_status_update": st.fixed_dictionaries(
        {**KEYS, "event": st.sampled_from([*templates.STATUS_OF_EVENT, "NEW"]), "reason": words | st.none()},
        optional={"rejection_info": st.fixed_dictionaries({"reason": words, "recommendation": words})},
    ),
    "message_template_quality_update": st.fixed_dictionaries(
        {**KEYS, "new_quality_score": st.sampled_from([*templates.QUALITIES, "NEW"])}
    ),
    "template_category_update": st.fixed_dictionaries(
        {**KEYS, "new_category": st.sampled_from([*templates.CATEGORIES, "NEW"])},
        optional={"correct_category": st.sampled_from(templates.CATEGORIES), "category_update_timestamp": later},
    ),
    "message_template_components_update": st.fixed_dictionaries(
        {**KEYS, "message_template_element": words}, optional={"message_template_title": words}
    ),
    "phone_number_name_update": st.fixed_dictionaries(
        {**NUMBER, "decision": st.sampled_from(["APPROVED", "REJECTED"]), "requested_verified_name": words}
    ),
    "phone_number_quality_update": st.fixed_dictionaries(
        {**NUMBER, "event": st.sampled_from([*accounts.THROUGHPUT_OF_EVENT, "NEW"])},
        optional={"max_daily_conversations_per_business": limits, "current_limit": limits},
    ),
    "business_capability_update": st.fixed_dictionaries({"max_daily_conversations_per_business": limits}),
    "account_update": st.one_of(
        st.fixed_dictionaries(
            {"event": st.just("DISABLED_UPDATE")},
            optional={"ban_info": st.fixed_dictionaries({"waba_ban_state": st.sampled_from([*accounts.STATE_OF_BAN])})},
        ),
        st.fixed_dictionaries({"event": st.sampled_from([*accounts.STATE_OF_CONNECTION, "ACCOUNT_DELETED", "NEW"])}),
        st.fixed_dictionaries({"event": st.just("ACCOUNT_RESTRICTION"), "restriction_info": restrictions}),
    ),
}


def changes(fields: Sequence[str]) -> st.SearchStrategy[list[Change]]:
    def change(field: str) -> st.SearchStrategy[Change]:
        return st.builds(
            lambda value, time: changes_of(webhook(field, value, time), RECEIVED_AT)[0], VALUES[field], times
        )

    return st.lists(st.sampled_from(fields).flatmap(change), min_size=1, max_size=6)


@st.composite
def disordered(draw: st.DrawFn, told: list[Change]) -> list[tuple[Change, int]]:
    """Give them in another order and some of them again, and what our clock says at each."""
    order_of = draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=4))))
    clocks = sorted(draw(st.lists(later, min_size=len(order_of), max_size=len(order_of))))
    return list(zip(order_of, clocks, strict=True))


def ended(table: Table, told: Sequence[tuple[Change, int]]) -> Timelines:
    lines: Timelines = {}
    for change, clock in told:
        lines = tables.after(table, lines, change.reading.said, clock)
    return tables.after(table, lines, (), END)


def at_once(told: Sequence[Change]) -> list[tuple[Change, int]]:
    """Give them in their order, before anything that is announced begins."""
    return [(change, BEGINNING - 10) for change in told]


def columns(table: Table, lines: Timelines) -> dict[str, Any]:
    return {name: value for said in tables.begun({}, lines) for name, value in tables.columns(table, said).items()}


@pytest.mark.parametrize("field", VALUES)
@given(st.data())
def test_order_and_repetition_of_a_kind_do_not_matter(field: str, data: st.DataObject) -> None:
    told = data.draw(changes([field]))
    again = data.draw(disordered(told))
    for table in Table:
        lines = ended(table, at_once(told))
        assert ended(table, again) == lines
        assert columns(table, ended(table, again)) == columns(table, lines)


@given(st.data())
def test_what_holds_is_the_latest_that_has_begun(data: st.DataObject) -> None:
    told = data.draw(changes([*VALUES]))
    for table in Table:
        lines = ended(table, data.draw(disordered(told)))
        for fact in FACTS_OF[table]:
            said = [one.held for change in told for one in change.reading.said if one.fact is fact]
            latest = max(said, key=lambda held: order(held, ORDERS.get(fact, ())), default=None)
            assert lines.get(fact, NOTHING).now == latest


@given(st.data())
def test_what_is_kept_is_read_back(data: st.DataObject) -> None:
    told = data.draw(changes([*VALUES]))
    for table in Table:
        lines = tables.after(table, {}, [one for change in told for one in change.reading.said], BEGINNING)
        assert from_json(as_json(lines)) == lines


@given(st.data())
def test_the_worst_that_holds_is_the_accounts_state(data: st.DataObject) -> None:
    told = data.draw(changes(["account_update"]))
    now = data.draw(later)
    said = [one for change in told for one in change.reading.said]
    lines = tables.after(Table.USER_BUSINESS_INFO, {}, said, now)
    held = {fact: line.now for fact in OF_ACCOUNT_STATE if (line := lines.get(fact, NOTHING)).now}
    state = lines.get(Fact.ACCOUNT_STATE, NOTHING).now
    assert (state is None) is (not held)
    if state is not None:
        banned = held.get(Fact.BAN, Held.at_once(0, {"event": "ACTIVE"})).value["event"]
        cut_off = held.get(Fact.CONNECTION, Held.at_once(0, {"event": "ACTIVE"})).value["event"]
        left = [
            one
            for one in held.get(Fact.RESTRICTIONS, Held.at_once(0, [])).value
            if one["until"] is None or one["until"] > now
        ]
        states = [banned, cut_off, "RESTRICTED" if left else "ACTIVE"]
        assert state.value["state"] == max(states, key=accounts.STATES.index)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=400)
@given(st.sampled_from(sorted(ACCOUNT_FIELDS | TEMPLATE_FIELDS)), st.data())
def test_nothing_that_a_change_may_hold_is_too_odd(field: str, data: st.DataObject) -> None:
    """What is known of it is applied; an error would be the end of the consumer."""
    usual = data.draw(VALUES.get(field, st.just({})))
    odd = data.draw(st.dictionaries(st.sampled_from([*usual, "value", *NESTED]), json | odd_times, max_size=3))
    value = data.draw(st.sampled_from([dict(usual) | odd, data.draw(json)]))
    document = {
        "waba_id": data.draw(st.sampled_from([WABA, None])),
        "received_at": RECEIVED_AT,
        "entry_time": data.draw(times | json),
        "change": {"field": field, "value": value},
    }
    change = decode(json_text.dumps(document))
    assert change.field == field
    for table in Table:
        lines = tables.after(table, {}, change.reading.said, END)
        for said in tables.begun({}, lines):
            assert orjson.loads(change_event(change.subject, said, ()).data)["matched"] is False
            orjson.dumps(tables.columns(table, said))


@given(st.data())
def test_an_accounts_events_differ_and_the_newest_is_the_state(data: st.DataObject) -> None:
    told = data.draw(changes(["account_update"]))
    lines: Timelines = {}
    events: list[Held] = []
    for change, clock in [*data.draw(disordered(told)), (told[0], END)]:
        after = tables.after(Table.USER_BUSINESS_INFO, lines, change.reading.said, clock)
        events += [said.held for said in tables.begun(lines, after)]
        lines = after
    times = [held.at for held in events]
    assert times == sorted(times)
    assert all(one != other for one, other in pairwise(events))
    state = lines.get(Fact.ACCOUNT_STATE, NOTHING).now
    assert [held.value for held in events[-1:]] == ([] if state is None else [state.value])


@settings(max_examples=30)
@given(st.data())
def test_the_tables_say_the_same(world: World, data: st.DataObject) -> None:
    """In PostgreSQL as in the rules: rows end as the timelines say, whatever the order."""
    told = data.draw(changes([*VALUES]))
    one = world.run.run(_written(world, at_once(told)))
    other = world.run.run(_written(world, data.draw(disordered(told))))
    assert one == other
    for table, label in LABELS.items():
        said = columns(table, ended(table, at_once(told)))
        components = said.pop("components", None)
        row = {name: _as_json(value) for name, value in one[table, label].items()}
        assert {name: row[name] for name in said} == said
        assert components is None or row["components"][-len(components) :] == components


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


# One row of each table that everything here is about.
LABELS = {
    Table.TEMPLATES: "second renamed en_US",
    Table.WHATSAPP_TEMPLATES: "271948360554199 en_US",
    Table.WHATSAPP_NUMBERS: "the number",
    Table.USER_BUSINESS_INFO: "first",
}


async def _written(world: World, told: Sequence[tuple[Change, int]]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    await world.platform.execute("DELETE FROM users; DELETE FROM whatsapp_templates")
    await world.platform.execute(ROWS)
    store = ChangeStore(world.service.database)
    for change, clock in told:
        await store.apply(change, clock)
    await store.let_begin(END)
    found = await snapshot(world.platform)
    return {
        key: {name: value for name, value in row.items() if name not in {"id", "user_id", "created_at"}}
        for key, row in found.items()
    }
