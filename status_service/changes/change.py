"""From a record of `raw.template` or `raw.account` to what it says, of whom."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared import json_text
from shared.envelope import ACCOUNT_FIELDS, TEMPLATE_FIELDS
from status_service.changes import accounts, templates
from status_service.changes.saying import UNKNOWN, Reading, Subject, text
from status_service.decode import EPOCH, MICROSECOND, SECOND, UndecodableError, storable, timestamp

# Meta names the number by its digits; without any it could be anybody's.
OF_ONE_NUMBER: Final = frozenset({"phone_number_name_update", "phone_number_quality_update"})
NO_DIGIT: Final = re.compile("[^0-9]")


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its field, whom it is about, what it says; whether the receipt stands in for its time."""

    field: str
    subject: Subject
    reading: Reading
    time_replaced: bool = False


def decode(record: bytes | None) -> Change:
    """Read one record's value. Raises UndecodableError."""
    try:
        return _change(_storable(json_text.loads(record or b"")))
    except (json_text.NotJsonError, RecursionError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UndecodableError(f"no change document: {type(error).__name__}") from None


def _change(document: Any) -> Change:
    received_at = (datetime.fromisoformat(document["received_at"]) - EPOCH) // MICROSECOND
    waba_id, field, value = document["waba_id"], document["change"]["field"], document["change"].get("value")
    if field not in TEMPLATE_FIELDS | ACCOUNT_FIELDS or not (waba_id is None or isinstance(waba_id, str)):
        raise UndecodableError("no change of a template, a number or an account")
    at = timestamp(document["entry_time"], received_at)
    seconds = (received_at if at is None else at) // SECOND
    subject, reading = Subject(waba_id), UNKNOWN
    if isinstance(value, dict):
        if field in TEMPLATE_FIELDS:
            subject, reading = _template(waba_id, value), templates.read(field, value, seconds)
        else:
            subject, reading = Subject(waba_id, digits=_digits(value)), accounts.read(field, value, seconds)
        if field in OF_ONE_NUMBER and subject.digits is None:
            reading = UNKNOWN
    return Change(field, subject, reading, time_replaced=at is None)


def _template(waba_id: str | None, value: dict[str, Any]) -> Subject:
    template_id = value.get("message_template_id")
    if isinstance(template_id, int) and not isinstance(template_id, bool):
        template_id = str(template_id)
    name, language = value.get("message_template_name"), value.get("message_template_language")
    return Subject(waba_id, text(template_id), text(name), text(language))


def _digits(value: dict[str, Any]) -> str | None:
    display = value.get("display_phone_number")
    return NO_DIGIT.sub("", display) or None if isinstance(display, str) else None


def _storable(value: Any) -> Any:
    """Replace what PostgreSQL cannot hold, in every text of it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable(part) for key, part in value.items()}
    return [_storable(part) for part in value] if isinstance(value, list) else value
