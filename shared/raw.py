"""The documents of the `raw.*` topics: one part of a webhook, verbatim, with where and when it came from."""

from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns
from typing import Any, NamedTuple

Document = dict[str, Any]


class Origin(NamedTuple):
    """Where a part came from: Meta's ids, None where the webhook had none; received_at as RFC 3339 UTC."""

    waba_id: str | None
    phone_number_id: str | None
    received_at: str


def rfc3339(moment: datetime) -> str:
    """Write a moment in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def rfc3339_now() -> str:
    """Write the present moment, as rfc3339 does: 1 microsecond faster, for every webhook needs it."""
    second, microsecond = divmod(time_ns() // 1000, 1_000_000)
    return f"{_second(second)}.{microsecond:06d}+00:00"


@lru_cache(maxsize=1)
def _second(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None).isoformat()


def status_document(origin: Origin, status: Any) -> Document:
    """Give a `raw.status` value: one status object."""
    return {
        "waba_id": origin.waba_id,
        "phone_number_id": origin.phone_number_id,
        "received_at": origin.received_at,
        "status": status,
    }


def inbound_document(origin: Origin, message: Any, metadata: Any, contacts: Any) -> Document:
    """Give a `raw.inbound` value: one inbound message with the metadata and contacts it came with."""
    return {
        "waba_id": origin.waba_id,
        "phone_number_id": origin.phone_number_id,
        "received_at": origin.received_at,
        "metadata": metadata,
        "contacts": contacts,
        "message": message,
    }


def change_document(origin: Origin, entry_id: Any, entry_time: Any, change: Any) -> Document:
    """Give the value of `raw.template`, `raw.account` and `raw.other`: one change with its entry's id and time.

    entry_id differs from waba_id where Meta puts a business portfolio's id into `entry.id`.
    """
    return {
        "waba_id": origin.waba_id,
        "phone_number_id": origin.phone_number_id,
        "received_at": origin.received_at,
        "entry_id": entry_id,
        "entry_time": entry_time,
        "change": change,
    }
