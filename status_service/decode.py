"""From a `raw.status` record to evidence: what Meta wrote, made fit for the merge and for PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from shared import json_text
from status_service import merge
from status_service.merge import Evidence, Micros

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SECOND: Final = 1_000_000
# WhatsApp began in 2009; a status cannot be older. Clocks differ, but not by a day.
EARLIEST: Final[Micros] = (datetime(2009, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
AHEAD_AT_MOST: Final[Micros] = 24 * 60 * 60 * SECOND
# PostgreSQL's integer.
CODE_RANGE: Final = range(-(2**31), 2**31)
# message_logs.message_id holds no longer one; Meta's have up to 82 characters so far.
LONGEST_ID: Final = 255
UUID_CHARACTERS: Final = 36
# As many digits as a timestamp can have that is not out of range anyway.
TIMESTAMP_DIGITS: Final = 12


class UndecodableError(ValueError):
    """The record is no status with an id; the text says why without repeating the record."""


class StatusValue(StrEnum):
    """The values of a status, as a metric's labels: Meta's own, and what we make of the others."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"
    # Not evidence: an order's state, and values of older references that say nothing about delivery.
    PAYMENT = "payment"
    DELETED = "deleted"
    WARNING = "warning"
    UNKNOWN = "unknown"


class DecodedStatus(msgspec.Struct, frozen=True, gc=False):
    """One status: its message, its value, what it proves (None: nothing), when the receiver got it, whose it is.

    callback_id is the row that the sender named in Meta's `biz_opaque_callback_data`, if it named one.
    """

    message_id: str
    value: StatusValue
    evidence: Evidence | None
    received_at: Micros
    timestamp_replaced: bool
    phone_number_id: str | None = None
    callback_id: UUID | None = None


EVIDENCE: Final[dict[str, tuple[StatusValue, Callable[[Micros], Evidence]]]] = {
    "sent": (StatusValue.SENT, merge.of_sent),
    "delivered": (StatusValue.DELIVERED, merge.of_delivered),
    "read": (StatusValue.READ, merge.of_read),
    # A voice message that was played was read (Meta: messages/status reference, since November 2025).
    "played": (StatusValue.PLAYED, merge.of_read),
}
NOT_EVIDENCE: Final = {"deleted": StatusValue.DELETED, "warning": StatusValue.WARNING}


class _Status(msgspec.Struct, gc=False):
    """What is read of Meta's status object; each may be anything."""

    id: Any
    status: Any = None
    timestamp: Any = None
    type: Any = None
    errors: Any = None
    biz_opaque_callback_data: Any = None


class _Document(msgspec.Struct, gc=False):
    """What is read of a `raw.status` document."""

    received_at: str
    status: _Status
    phone_number_id: Any = None


# Reads a status in 0.6 us and orjson in 2.6, because most of what Meta says is not built here.
_READ: Final = msgspec.json.Decoder(_Document).decode


def decode(value: bytes | None) -> DecodedStatus:
    """Read one record's value. Raises UndecodableError."""
    try:
        document = _READ(value or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        document = _read_any(value or b"")
    status = document.status
    message_id, kind = status.id, status.status
    try:
        since = datetime.fromisoformat(document.received_at) - EPOCH
    except (TypeError, ValueError) as error:
        raise UndecodableError(f"no raw.status document: {type(error).__name__}") from None
    # Dividing by a microsecond takes four times as long.
    received_at = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
    if not isinstance(message_id, str) or not message_id:
        raise UndecodableError("the status has no id")
    if len(message_id) > LONGEST_ID:
        raise UndecodableError(f"the status has an id of more than {LONGEST_ID} characters")
    message_id = storable(message_id)
    if status.type == "payment":
        return DecodedStatus(message_id, StatusValue.PAYMENT, None, received_at, timestamp_replaced=False)
    at = timestamp(status.timestamp, received_at)
    replaced = at is None
    if at is None:
        at = received_at
    known = EVIDENCE.get(kind) if isinstance(kind, str) else None
    if known is not None:
        label, proves = known
        evidence = proves(at)
    elif kind == "failed":
        label, evidence = StatusValue.FAILED, merge.of_failed(at, *_error(status.errors))
    else:
        label = NOT_EVIDENCE.get(kind, StatusValue.UNKNOWN) if isinstance(kind, str) else StatusValue.UNKNOWN
        return DecodedStatus(message_id, label, None, received_at, timestamp_replaced=False)
    number = document.phone_number_id
    return DecodedStatus(
        message_id,
        label,
        evidence,
        received_at,
        replaced,
        storable(number) if isinstance(number, str) else None,
        _row_id(status.biz_opaque_callback_data),
    )


def _read_any(value: bytes) -> _Document:
    """Read what is not quite JSON, or not quite our document. Raises UndecodableError."""
    try:
        return msgspec.convert(json_text.loads(value), _Document)
    except (json_text.NotJsonError, msgspec.ValidationError) as error:
        raise UndecodableError(f"no raw.status document: {type(error).__name__}") from None


def _row_id(text: Any) -> UUID | None:
    """Read the id of a row as a sender writes it; other systems put other things there."""
    if not isinstance(text, str) or len(text) != UUID_CHARACTERS:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def storable(text: str) -> str:
    """Replace what PostgreSQL's text cannot hold: NUL and lone surrogates."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def timestamp(value: Any, received_at: Micros) -> Micros | None:
    """Read Meta's seconds, a string of digits; None if it is no number or cannot be true."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= TIMESTAMP_DIGITS:
        at = int(value) * SECOND
    elif isinstance(value, int) and not isinstance(value, bool):
        at = value * SECOND
    else:
        return None
    return at if EARLIEST <= at <= received_at + AHEAD_AT_MOST else None


def _error(errors: Any) -> tuple[int | None, str | None]:
    """Give code and text of the first error. Meta: build on code and details, titles will go."""
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return None, None
    code = first.get("code")
    if not isinstance(code, int) or isinstance(code, bool) or code not in CODE_RANGE:
        code = None
    data = first.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    texts = (details, first.get("message"), first.get("title"))
    text = next((text for text in texts if isinstance(text, str) and text), None)
    return code, None if text is None else storable(text)
