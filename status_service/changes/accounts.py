"""What Meta says of numbers and accounts. About the fields: Meta's webhook references of their names, May 2026."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from status_service.changes.saying import UNKNOWN, Reading, Said, seconds, text
from status_service.changes.timeline import NOTHING, Fact, Held, Seconds, Timelines, canonical

# The messages that a business portfolio may begin in a day, in Meta's words; the larger one wins within a second.
LIMITS: Final = (
    "TIER_NOT_SET",
    "TIER_50",
    "TIER_250",
    "TIER_1K",
    "TIER_2K",
    "TIER_10K",
    "TIER_100K",
    "TIER_UNLIMITED",
)
LIMIT_OF_NUMBER: Final = {
    50: "TIER_50",
    250: "TIER_250",
    1000: "TIER_1K",
    2000: "TIER_2K",
    10_000: "TIER_10K",
    100_000: "TIER_100K",
}
# A number begins with Meta's standard of 80 messages a second, and is raised to 1,000.
THROUGHPUT_OF_EVENT: Final = {"ONBOARDING": "STANDARD", "THROUGHPUT_UPGRADE": "HIGH"}
THROUGHPUTS: Final = ("STANDARD", "HIGH")
# Decisions that leave the name as it was.
UNDECIDED: Final = frozenset({"DEFERRED", "PENDING", "REJECTED"})
LONGEST_NAME: Final = 255

# What an account can be, the worst last: of a ban, restrictions and a connection the worst is its state.
STATES: Final = ("ACTIVE", "SCHEDULED_FOR_DISABLE", "RESTRICTED", "DISCONNECTED", "DISABLED", "DELETED")
STATE_OF_BAN: Final = {"REINSTATE": "ACTIVE", "SCHEDULE_FOR_DISABLE": "SCHEDULED_FOR_DISABLE", "DISABLE": "DISABLED"}
# Whether we can work for the account: it is shared with us, and on the Cloud API.
STATE_OF_CONNECTION: Final = {
    "PARTNER_ADDED": "ACTIVE",
    "PARTNER_APP_INSTALLED": "ACTIVE",
    "ACCOUNT_RECONNECTED": "ACTIVE",
    "PARTNER_APP_UNINSTALLED": "DISCONNECTED",
    "PARTNER_REMOVED": "DISCONNECTED",
    "ACCOUNT_OFFBOARDED": "DISCONNECTED",
}
# What Meta restricts (Meta: account_update reference).
RESTRICTION_TYPES: Final = frozenset(
    {
        "RESTRICTED_ADD_PHONE_NUMBER_ACTION",
        "RESTRICTED_BIZ_INITIATED_MESSAGING",
        "RESTRICTED_CUSTOMER_INITIATED_MESSAGING",
        "RESTRICTED_UTILITY_TEMPLATES",
    }
)
# Events that we know and that change none of the platform's rows.
OTHER_EVENTS: Final = frozenset(
    {
        "ACCOUNT_VIOLATION",
        "AD_ACCOUNT_LINKED",
        "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE",
        "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE",
        "MM_LITE_TERMS_SIGNED",
        "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE",
        "VERIFIED_ACCOUNT",
        "VOLUME_BASED_PRICING_TIER_UPDATE",
    }
)
# Of sayings of the same second the larger holds, in these orders.
ORDERS: Final[Mapping[Fact, Sequence[str]]] = {
    Fact.THROUGHPUT: THROUGHPUTS,
    Fact.MESSAGING_LIMIT: LIMITS,
    Fact.BAN: STATES,
    Fact.CONNECTION: STATES,
}


def read(field: str, value: Mapping[str, Any], at: Seconds) -> Reading:
    """Tell what a change of a number or an account says; at is the entry's time."""
    match field:
        case "phone_number_name_update":
            return _verified_name(value, at)
        case "phone_number_quality_update":
            return _throughput_and_limit(value, at)
        case "business_capability_update":
            return _limit(value, at)
        case "account_update":
            return _account(value, at)
        case _:
            # Alerts, reviews, settings, security, user names, preferences: for subscribers of the raw topic.
            return Reading()


def _verified_name(value: Mapping[str, Any], at: Seconds) -> Reading:
    decision, name = value.get("decision"), text(value.get("requested_verified_name"), LONGEST_NAME)
    if decision == "APPROVED" and name is not None:
        return Reading((Said(Fact.VERIFIED_NAME, Held.at_once(at, name)),))
    return Reading() if isinstance(decision, str) and decision in UNDECIDED else UNKNOWN


def _throughput_and_limit(value: Mapping[str, Any], at: Seconds) -> Reading:
    event = value.get("event")
    throughput = THROUGHPUT_OF_EVENT.get(event) if isinstance(event, str) else None
    limit = _limit(value, at)
    if throughput is None:
        return limit._replace(unknown=True)
    return limit._replace(said=(Said(Fact.THROUGHPUT, Held.at_once(at, throughput)), *limit.said))


def _limit(value: Mapping[str, Any], at: Seconds) -> Reading:
    """Tell the limit, a number or a tier's name; `current_limit` is where it was until February 2026."""
    given = value.get("max_daily_conversations_per_business")
    if given is None:
        given = value.get("current_limit")
    if given is None:
        return Reading()
    limit = LIMIT_OF_NUMBER.get(given, "") if isinstance(given, int) else given
    return Reading((Said(Fact.MESSAGING_LIMIT, Held.at_once(at, limit)),)) if limit in LIMITS else UNKNOWN


def _account(value: Mapping[str, Any], at: Seconds) -> Reading:
    event = value.get("event")
    if not isinstance(event, str):
        return UNKNOWN
    if event == "DISABLED_UPDATE":
        return _ban(value, at)
    if event == "ACCOUNT_DELETED":
        return Reading((Said(Fact.BAN, Held.at_once(at, _state("DELETED", event))),))
    if event == "ACCOUNT_RESTRICTION":
        return _restrictions(value, at)
    if event in STATE_OF_CONNECTION:
        info = value.get("disconnection_info")
        details = [info.get("reason"), info.get("initiated_by")] if isinstance(info, dict) else []
        return Reading((Said(Fact.CONNECTION, Held.at_once(at, _state(STATE_OF_CONNECTION[event], event, *details))),))
    return Reading() if event in OTHER_EVENTS else UNKNOWN


def _ban(value: Mapping[str, Any], at: Seconds) -> Reading:
    info = value.get("ban_info")
    ban = info.get("waba_ban_state") if isinstance(info, dict) else None
    if not isinstance(info, dict) or not isinstance(ban, str) or ban not in STATE_OF_BAN:
        return UNKNOWN
    return Reading((Said(Fact.BAN, Held.at_once(at, _state(STATE_OF_BAN[ban], ban, info.get("waba_ban_date")))),))


def _restrictions(value: Mapping[str, Any], at: Seconds) -> Reading:
    given = value.get("restriction_info")
    given = given if isinstance(given, list) else []
    found = [known for one in given if (known := _restriction(one)) is not None]
    if not found:
        return UNKNOWN
    found.sort(key=canonical)
    return Reading((Said(Fact.RESTRICTIONS, Held.at_once(at, found)),), unknown=len(found) < len(given))


def _restriction(given: Any) -> dict[str, Any] | None:
    """Read one; None for a kind, or an end, that we do not know."""
    if not isinstance(given, dict) or not isinstance(kind := given.get("restriction_type"), str):
        return None
    end = given.get("expiration")
    until = None if end is None else _moment(end)
    if kind not in RESTRICTION_TYPES or (until is None and end is not None):
        return None
    return {"type": kind, "until": until}


def _state(state: str, *words: Any) -> dict[str, Any]:
    return {"event": state, "reason": ", ".join(filter(None, map(text, words)))}


def _moment(value: Any) -> Seconds | None:
    """Read a restriction's end: seconds, or a time as ISO 8601 writes it, in UTC where it does not say."""
    if isinstance(value, str) and not value.isdigit():
        try:
            read = datetime.fromisoformat(value)
            value = int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            return None
    return seconds(value)


def account_state(timelines: Timelines, now: Seconds) -> Held | None:
    """Give what an account has become, and when: the worst of what holds; None of one never spoken of.

    The state has a reason, and its own time since when it is so: a ban that ends brings back an older restriction.
    """
    found: list[tuple[str, Seconds, str, Seconds | None]] = []
    changes: list[Seconds] = []
    for fact in (Fact.BAN, Fact.CONNECTION):
        if held := timelines.get(fact, NOTHING).now:
            found.append((held.value["event"], held.at, held.value["reason"], None))
            changes.append(held.at)
    if restrictions := timelines.get(Fact.RESTRICTIONS, NOTHING).now:
        ends = [one["until"] for one in restrictions.value if one["until"] is not None and one["until"] <= now]
        changes += [restrictions.at, *ends]
        left = [one for one in restrictions.value if one["until"] is None or one["until"] > now]
        if left:
            lasts = [one["until"] for one in left]
            types = ", ".join(one["type"] for one in left)
            found.append(("RESTRICTED", restrictions.at, types, None if None in lasts else max(lasts)))
        else:
            found.append(("ACTIVE", max(ends), "restrictions expired", None))
    if not found:
        return None
    state, since, reason, until = max(found, key=lambda one: (STATES.index(one[0]), one[1], one[2]))
    return Held.at_once(max(changes), {"state": state, "since": since, "reason": reason, "until": until})


def next_expiry(timelines: Timelines, now: Seconds) -> Seconds | None:
    """Give when the first restriction expires that is in force."""
    restrictions = timelines.get(Fact.RESTRICTIONS, NOTHING).now
    ends = [] if restrictions is None else [one["until"] for one in restrictions.value]
    return min((end for end in ends if end is not None and end > now), default=None)
