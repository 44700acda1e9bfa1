"""Which facts each table has, and what they are in its columns."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, assert_never

from status_service.changes import accounts, templates, timeline
from status_service.changes.saying import Said
from status_service.changes.timeline import NOTHING, Fact, Held, Seconds, Timeline, Timelines


class Table(StrEnum):
    """The platform's tables that changes are applied to, in the order in which their rows are locked."""

    TEMPLATES = "templates"
    WHATSAPP_TEMPLATES = "whatsapp_templates"
    WHATSAPP_NUMBERS = "whatsapp_numbers"
    USER_BUSINESS_INFO = "user_business_info"


FACTS_OF: Final[Mapping[Table, frozenset[Fact]]] = {
    Table.TEMPLATES: frozenset({Fact.STATUS, Fact.QUALITY_RATING, Fact.CATEGORY}),
    Table.WHATSAPP_TEMPLATES: frozenset({Fact.STATUS, Fact.CATEGORY, Fact.COMPONENTS}),
    Table.WHATSAPP_NUMBERS: frozenset({Fact.VERIFIED_NAME, Fact.THROUGHPUT, Fact.MESSAGING_LIMIT}),
    Table.USER_BUSINESS_INFO: frozenset({Fact.BAN, Fact.RESTRICTIONS, Fact.CONNECTION}),
}
# Of sayings of the same second the larger holds, in these orders.
ORDERS: Final[Mapping[Fact, Sequence[str]]] = {
    Fact.STATUS: tuple(templates.STATUS_OF_EVENT),
    Fact.QUALITY_RATING: templates.QUALITIES,
    Fact.CATEGORY: templates.CATEGORIES,
    **accounts.ORDERS,
}
# What together makes the account's state, and is not written for itself.
OF_ACCOUNT_STATE: Final = FACTS_OF[Table.USER_BUSINESS_INFO]


def tables_of(facts: Iterable[Fact]) -> list[Table]:
    wanted = set(facts)
    return [table for table in Table if FACTS_OF[table] & wanted]


def after(table: Table, before: Timelines, said: Iterable[Said], now: Seconds) -> dict[Fact, Timeline]:
    """Give a row's timelines after what was said, and after the time that has gone by."""
    lines = {fact: timeline.settled(line, now, _order(fact)) for fact, line in before.items()}
    for fact, held in said:
        if fact in FACTS_OF[table]:
            lines[fact] = timeline.told(lines.get(fact, NOTHING), held, now, _order(fact))
    if table is Table.USER_BUSINESS_INFO and (state := accounts.account_state(lines, now)):
        lines[Fact.ACCOUNT_STATE] = Timeline(state)
    return lines


def begun(before: Timelines, lines: Timelines) -> list[Said]:
    """Give what holds now and did not before, of what is written and published."""
    return [
        Said(fact, line.now)
        for fact, line in lines.items()
        if fact not in OF_ACCOUNT_STATE
        and line.now is not None
        and _shown(fact, line.now) != _shown(fact, before.get(fact, NOTHING).now)
    ]


def _shown(fact: Fact, held: Held | None) -> Any:
    """Give what others see of it: of an account no change that a worse state hides."""
    return held.value if held is not None and fact is Fact.ACCOUNT_STATE else held


def without_row(said: Sequence[Said], now: Seconds) -> list[Said]:
    """Give what is published of whom there is no row: what was said, and of accounts what it comes to."""
    state = after(Table.USER_BUSINESS_INFO, {}, said, now)
    return [one for one in said if one.fact not in OF_ACCOUNT_STATE] + begun({}, state)


def due(lines: Timelines, now: Seconds) -> Seconds | None:
    """Give when something changes by itself; None if nothing does."""
    moments = [held.at for line in lines.values() for held in line.coming]
    expiry = accounts.next_expiry(lines, now)
    return min(moments if expiry is None else [*moments, expiry], default=None)


def columns(table: Table, said: Said) -> dict[str, Any]:
    """Give what a fact is in the table's columns, as JSON has it; times are UTC."""
    fact, value = said.fact, said.held.value
    match fact:
        case Fact.STATUS if table is Table.WHATSAPP_TEMPLATES:
            return {"status": value["event"]}
        case Fact.STATUS:
            status = templates.STATUS_OF_EVENT[value["event"]]
            return {
                "status": status,
                "rejection_reason": value["rejection_reason"],
                "whatsapp_response": value["response"],
            }
        case Fact.ACCOUNT_STATE:
            until = value["until"]
            return {
                "account_state": value["state"],
                "account_state_reason": value["reason"],
                "account_state_since": moment(value["since"]).isoformat(),
                "account_state_until": None if until is None else moment(until).isoformat(),
            }
        case (
            Fact.QUALITY_RATING
            | Fact.CATEGORY
            | Fact.COMPONENTS
            | Fact.VERIFIED_NAME
            | Fact.THROUGHPUT
            | Fact.MESSAGING_LIMIT
        ):
            return {fact.value: value}
        case Fact.BAN | Fact.RESTRICTIONS | Fact.CONNECTION:
            return {}
    assert_never(fact)


def with_media_header(components: list[Any], media_header: Any) -> list[Any]:
    """Keep a header with a medium where Meta tells of no other one: its webhooks only tell those that are texts."""
    if media_header is None or any(component["type"] == "HEADER" for component in components):
        return components
    return [media_header, *components]


def published(said: Said) -> Any:
    """Give the value as subscribers are told it."""
    fact, value = said.fact, said.held.value
    if fact is Fact.STATUS:
        event, reason = value["event"], value["rejection_reason"]
        return {"event": event, "status": templates.STATUS_OF_EVENT[event], "rejection_reason": reason}
    if fact is Fact.ACCOUNT_STATE:
        times = {name: value[name] for name in ("since", "until")}
        return value | {name: at if at is None else f"{moment(at).isoformat()}+00:00" for name, at in times.items()}
    return value


def moment(at: Seconds) -> datetime:
    """Give a time as the columns have it: UTC, and naive."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def _order(fact: Fact) -> Sequence[str]:
    return ORDERS.get(fact, ())
