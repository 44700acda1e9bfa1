"""What a webhook's change says: facts of one subject, each from a moment on."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from status_service.changes.timeline import Fact, Held


@dataclass(frozen=True, slots=True)
class Subject:
    """What is spoken of, in Meta's words: an account, a template of it, or the number with these digits.

    Without digits a fact of numbers is about all of the account's.
    """

    waba_id: str | None
    template_id: str | None = None
    name: str | None = None
    language: str | None = None
    digits: str | None = None


class Said(NamedTuple):
    fact: Fact
    held: Held


class Reading(NamedTuple):
    """What is said, and whether something is among it that we do not know."""

    said: tuple[Said, ...] = ()
    unknown: bool = False


UNKNOWN = Reading(unknown=True)


def text(value: Any, longest: int = 255) -> str | None:
    """Give a text that a column can hold, else None."""
    return value if isinstance(value, str) and 0 < len(value) <= longest else None
