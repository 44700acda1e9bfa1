"""What Meta says of numbers and accounts. About the fields: Meta's webhook references of their names, May 2026."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from status_service.changes.saying import UNKNOWN, Reading, Said, text
from status_service.changes.timeline import NOTHING, Fact, Held, Seconds, Timelines

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
# Events of accounts, and fields, that we know and that change none of the platform's rows.
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
        return Reading((Said(Fact.VERIFIED_NAME, Held(at, name)),))
    return Reading() if isinstance(decision, str) and decision in UNDECIDED else UNKNOWN


def _throughput_and_limit(value: Mapping[str, Any], at: Seconds) -> Reading:
    event = value.get("event")
    throughput = THROUGHPUT_OF_EVENT.get(event) if isinstance(event, str) else None
    limit = _limit(value, at)
    if throughput is None:
        return limit._replace(unknown=True)
    return limit._replace(said=(Said(Fact.THROUGHPUT, Held(at, throughput)), *limit.said))


def _limit(value: Mapping[str, Any], at: Seconds) -> Reading:
    """Tell the limit, a number or a tier's name; `current_limit` is where it was until February 2026."""
    given = value.get("max_daily_conversations_per_business", value.get("current_limit"))
    if given is None:
        return Reading()
    limit = LIMIT_OF_NUMBER.get(given, "") if isinstance(given, int) else given
    return Reading((Said(Fact.MESSAGING_LIMIT, Held(at, limit)),)) if limit in LIMITS else UNKNOWN


def _account(value: Mapping[str, Any], at: Seconds) -> Reading:
    event = value.get("event")
    if not isinstance(event, str):
        return UNKNOWN
    if event == "DISABLED_UPDATE":
        return _ban(value, at)
    if event == "ACCOUNT_DELETED":
        return Reading((Said(Fact.BAN, Held(at, _state("DELETED", event))),))
    if event == "ACCOUNT_RESTRICTION":
        return _restrictions(value, at)
    if event in STATE_OF_CONNECTION:
        info = value.get("disconnection_info")
        details = [info.get("reason"), info.get("initiated_by")] if isinstance(info, dict) else []
        return Reading((Said(Fact.CONNECTION, Held(at, _state(STATE_OF_CONNECTION[event], event, *details))),))
    return Reading() if event in OTHER_EVENTS else UNKNOWN


def _ban(value: Mapping[str, Any], at: Seconds) -> Reading:
    info = value.get("ban_info")
    ban = info.get("waba_ban_state") if isinstance(info, dict) else None
    if not isinstance(info, dict) or not isinstance(ban, str) or ban not in STATE_OF_BAN:
        return UNKNOWN
    return Reading((Said(Fact.BAN, Held(at, _state(STATE_OF_BAN[ban], ban, info.get("waba_ban_date")))),))


def _restrictions(value: Mapping[str, Any], at: Seconds) -> Reading:
    given = value.get("restriction_info")
    found = [
        {"type": kind, "until": _moment(one.get("expiration"))}
        for one in (given if isinstance(given, list) else [])
        if isinstance(one, dict) and (kind := text(one.get("restriction_type"), 100))
    ]
    found.sort(key=lambda one: str(one["type"]))
    return Reading((Said(Fact.RESTRICTIONS, Held(at, found)),)) if found else UNKNOWN


def _state(state: str, *words: Any) -> dict[str, Any]:
    return {"event": state, "reason": ", ".join(filter(None, map(text, words)))}


def _moment(value: Any) -> Seconds | None:
    """Read a restriction's end: seconds, or a time as ISO 8601 writes it; None where it is neither."""
    if isinstance(value, str):
        if value.isascii() and value.isdigit():
            value = int(value)
        else:
            try:
                return int(datetime.fromisoformat(value).timestamp())
            except (ValueError, OverflowError):
                return None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**33 else None


def account_state(timelines: Timelines, now: Seconds) -> Held | None:
    """Give what an account is, since when, why and until when: the worst of what holds; None of one never spoken of."""
    found = []
    for fact in (Fact.BAN, Fact.CONNECTION):
        if held := timelines.get(fact, NOTHING).now:
            state = {"state": held.value["event"], "reason": held.value["reason"], "until": None}
            found.append(Held(held.at, state))
    restrictions = timelines.get(Fact.RESTRICTIONS, NOTHING).now
    if restrictions is not None:
        found.append(_restricted(restrictions, now))
    return max(found, key=lambda held: (STATES.index(held.value["state"]), held.at, held.value["reason"]), default=None)


def _restricted(restrictions: Held, now: Seconds) -> Held:
    ends = [one["until"] for one in restrictions.value]
    left = [one for one in restrictions.value if one["until"] is None or one["until"] > now]
    if not left:
        return Held(max(ends), {"state": "ACTIVE", "reason": "restrictions expired", "until": None})
    until = [one["until"] for one in left]
    reason = ", ".join(one["type"] for one in left)
    last = None if None in until else max(until)
    return Held(restrictions.at, {"state": "RESTRICTED", "reason": reason, "until": last})


def next_expiry(timelines: Timelines, now: Seconds) -> Seconds | None:
    """Give when the first restriction expires that is in force."""
    restrictions = timelines.get(Fact.RESTRICTIONS, NOTHING).now
    ends = [] if restrictions is None else [one["until"] for one in restrictions.value]
    return min((end for end in ends if end is not None and end > now), default=None)
