"""What a webhook's change says: facts of one subject, each from a moment on."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from status_service.changes.timeline import Fact, Held, Seconds


@dataclass(frozen=True, slots=True)
class Subject:
    """What is spoken of, in Meta's words: an account, a template of it, or the number with these digits.

    Without digits a fact of numbers is about all of the account's; only changes of capability are.
    """

    waba_id: str | None
    template_id: str | None = None
    name: str | None = None
    language: str | None = None
    digits: str | None = None


# Of a time, which is before the year 2242.
DIGITS_AT_MOST: Final = 12
LATEST: Final[Seconds] = 2**33


class Said(NamedTuple):
    fact: Fact
    held: Held


class Reading(NamedTuple):
    """What is said, and whether something is among it that we do not know."""

    said: tuple[Said, ...] = ()
    unknown: bool = False


UNKNOWN: Final = Reading(unknown=True)


def text(value: Any, longest: int = 255) -> str | None:
    """Give a text that a column can hold, else None."""
    return value if isinstance(value, str) and 0 < len(value) <= longest else None


def seconds(value: Any) -> Seconds | None:
    """Give a time that Meta wrote as a number or as its digits; None for what is none or far off."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS_AT_MOST:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < LATEST else None
