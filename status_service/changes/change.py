"""From a record of `raw.template` or `raw.account` to what it says, of whom."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared import json_text
from shared.envelope import ACCOUNT_FIELDS, TEMPLATE_FIELDS
from status_service.changes import accounts, templates
from status_service.changes.saying import UNKNOWN, Reading, Subject
from status_service.changes.timeline import Seconds
from status_service.decode import EPOCH, MICROSECOND, SECOND, UndecodableError, storable, timestamp


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its field, whom it is about, what it says, and when; whether the receipt stands in for its time."""

    field: str
    subject: Subject
    reading: Reading
    at: Seconds
    time_replaced: bool = False


def decode(record: bytes | None) -> Change:
    """Read one record's value. Raises UndecodableError."""
    try:
        document = _storable(json_text.loads(record or b""))
        received_at = (datetime.fromisoformat(document["received_at"]) - EPOCH) // MICROSECOND
        waba_id, entry_time = document["waba_id"], document["entry_time"]
        field, value = document["change"]["field"], document["change"].get("value")
    except (json_text.NotJsonError, RecursionError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UndecodableError(f"no change document: {type(error).__name__}") from None
    if field not in TEMPLATE_FIELDS | ACCOUNT_FIELDS or not (waba_id is None or isinstance(waba_id, str)):
        raise UndecodableError("no change of a template, a number or an account")
    at = timestamp(entry_time, received_at)
    seconds = (received_at if at is None else at) // SECOND
    subject, reading = Subject(waba_id), UNKNOWN
    if isinstance(value, dict):
        read = templates.read if field in TEMPLATE_FIELDS else accounts.read
        subject, reading = _subject(waba_id, field, value), read(field, value, seconds)
    return Change(field, subject, reading, seconds, time_replaced=at is None)


def _subject(waba_id: str | None, field: str, value: dict[str, Any]) -> Subject:
    if field not in TEMPLATE_FIELDS:
        display = value.get("display_phone_number")
        digits = "".join(filter(str.isdigit, display)) if isinstance(display, str) else None
        return Subject(waba_id, digits=digits)
    template_id = value.get("message_template_id")
    if isinstance(template_id, int) and not isinstance(template_id, bool):
        template_id = str(template_id)
    name, language = value.get("message_template_name"), value.get("message_template_language")
    texts = [part if isinstance(part, str) and part else None for part in (template_id, name, language)]
    return Subject(waba_id, *texts)


def _storable(value: Any) -> Any:
    """Replace what PostgreSQL cannot hold, in every text of it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable(part) for key, part in value.items()}
    return [_storable(part) for part in value] if isinstance(value, list) else value
