"""Facts that Meta changes one by one: which of several sayings holds, in whatever order they come.

Each saying was told at some time, and is so from then on or from a later time that it announces. Of those that have
begun the one that was told last holds; what was told before it and has not begun is void. Of several told in the same
second the larger holds, in an order that is written down for each fact. So what holds at a time is a function of what
was said, not of the order or the number of the webhooks.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

# Since 1970, as Meta's `entry.time` is.
Seconds: TypeAlias = int


class Fact(StrEnum):
    """What changes independently of the others."""

    STATUS = "status"
    QUALITY_RATING = "quality_rating"
    CATEGORY = "category"
    COMPONENTS = "components"
    VERIFIED_NAME = "verified_name"
    THROUGHPUT = "throughput"
    MESSAGING_LIMIT = "messaging_limit"
    BAN = "ban"
    RESTRICTIONS = "restrictions"
    CONNECTION = "connection"
    # Not said by Meta, but what the three above come to.
    ACCOUNT_STATE = "account_state"


class Held(NamedTuple):
    """A value (JSON), the moment from which on it holds, and the one when Meta said so."""

    at: Seconds
    value: Any
    told: Seconds

    @classmethod
    def at_once(cls, at: Seconds, value: Any) -> "Held":
        return cls(at, value, at)

    def has_begun(self, now: Seconds) -> bool:
        """Tell whether it holds: a clock of ours that is late does not put off what Meta says is so."""
        return self.at <= max(now, self.told)


class Timeline(NamedTuple):
    """What holds of one fact, and what will, soonest first."""

    now: Held | None = None
    coming: tuple[Held, ...] = ()


Timelines: TypeAlias = Mapping[Fact, Timeline]

NOTHING: Final = Timeline()


def order(held: Held, least_first: Sequence[str]) -> tuple[Seconds, Seconds, int, str]:
    """Give what sayings of one fact are compared by: times, place of the value among the written ones, its JSON."""
    value = held.value
    leading = value.get("event") if isinstance(value, dict) else value
    place = least_first.index(leading) if isinstance(leading, str) and leading in least_first else -1
    return held.told, held.at, place, canonical(value)


def told(timeline: Timeline, said: Held, now: Seconds, least_first: Sequence[str] = ()) -> Timeline:
    """Take one more saying into a timeline."""
    return settled(timeline._replace(coming=(*timeline.coming, said)), now, least_first)


def settled(timeline: Timeline, now: Seconds, least_first: Sequence[str] = ()) -> Timeline:
    """Let what has begun meanwhile hold."""

    def place(held: Held) -> tuple[Seconds, Seconds, int, str]:
        return order(held, least_first)

    begun = [held for held in timeline.coming if held.has_begun(now)]
    # What held once has begun, whatever our clock says.
    holds = max(begun if timeline.now is None else [timeline.now, *begun], key=place, default=None)
    # By their places, so that a repetition is not there twice.
    left = {place(held): held for held in timeline.coming if not held.has_begun(now)}
    later = [left[one] for one in sorted(left) if holds is None or one > place(holds)]
    return Timeline(holds, tuple(later))


def as_json(timelines: Timelines) -> dict[str, Any]:
    """Give timelines as the database keeps them."""
    return {fact.value: timeline for fact, timeline in timelines.items()}


def from_json(kept: Mapping[str, Any]) -> dict[Fact, Timeline]:
    """Read them back."""
    return {
        Fact(name): Timeline(now and Held(*now), tuple(Held(*held) for held in coming))
        for name, (now, coming) in kept.items()
    }


def canonical(value: Any) -> str:
    """Write a value so that equal ones are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
