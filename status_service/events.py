"""What other services are told: CloudEvents in Kafka's binary mode, each with an id that a repetition keeps."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import orjson

from shared import topics
from shared.records import Record
from shared.topics import Topic
from status_service.merge import BIT, Micros, Status

# Of the ids of our events; no phone number is in them, though a wamid holds one.
NAMESPACE: Final = UUID("5f0d4a3c-7a38-5d0c-9d5e-1c6f0f8f2a11")
# Times are naive UTC here, as PostgreSQL's columns are.
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001
SOURCE: Final = b"/prime-sms/status_service"

TOPIC_OF: Final = {
    Status.SENT: topics.STATUS_SENT,
    Status.DELIVERED: topics.STATUS_DELIVERED,
    Status.READ: topics.STATUS_READ,
    Status.FAILED: topics.STATUS_FAILED,
}
TOPIC_NAMED: Final = {topic.suffix: topic for topic in topics.TOPICS}


class Event(NamedTuple):
    """One event: its topic, key, CloudEvents id and time (RFC 3339), and its data as JSON."""

    topic: Topic
    key: str
    id: str
    time: str
    data: bytes


class WrittenRow(NamedTuple):
    """A row of message_logs that a merge has written, as sql/merge.sql gives it; times are naive UTC."""

    position: int
    id: UUID
    campaign_id: UUID
    status_before: str
    status: str
    written: bool
    first_proven: int
    recipient_number: str
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    error_code: int | None
    failure_message: str | None


def status_events(message_id: str, said: int, row: WrittenRow, user_id: UUID) -> Iterator[Event]:
    """Give an event for each status that is proven of the row for the first time."""
    data = {
        "id": str(row.id),
        "message_id": message_id,
        "campaign_id": str(row.campaign_id),
        "user_id": str(user_id),
        "recipient": row.recipient_number,
        "status": row.status,
        "sent_at": row.sent_at,
        "delivered_at": row.delivered_at,
        "read_at": row.read_at,
        "failed_at": row.failed_at,
        "error": _error(row.failed_at, row.error_code, row.failure_message),
    }
    times = (row.sent_at, row.delivered_at, row.read_at, row.failed_at)
    for (status, bit), at in zip(BIT.items(), times, strict=True):
        if row.first_proven & bit and at is not None:
            name = f"{row.id}/{message_id}/{status}"
            yield _event(TOPIC_OF[status], message_id, name, at, data | {"implied": not said & bit})


def campaign_event(campaign: Mapping[str, Any]) -> Event:
    """Give the event of a campaign as sql/campaigns.sql gives it."""
    name = f"{campaign['campaign_id']}/{campaign['revision']}"
    now = datetime.now(UTC).replace(tzinfo=None)
    data = {**campaign} | {key: str(campaign[key]) for key in ("campaign_id", "user_id")}
    return _event(topics.CAMPAIGN, data["campaign_id"], name, now, data)


def unmatched_event(entry: Mapping[str, Any]) -> Event:
    """Give the event of a parked entry that expired, as sql/take_parked.sql gives it."""
    parked_at = entry["parked_at"]
    times = {name: _moment(entry[name]) for name in ("sent_at", "delivered_at", "read_at", "failed_at")}
    data = {
        "message_id": entry["message_id"],
        "phone_number_id": entry["phone_number_id"],
        "callback_id": None if entry["callback_id"] is None else str(entry["callback_id"]),
        **times,
        "error": _error(times["failed_at"], entry["error_code"], entry["error_message"]),
        "parked_at": parked_at,
    }
    name = f"unmatched/{entry['message_id']}/{parked_at.isoformat()}"
    return _event(topics.UNMATCHED, entry["message_id"], name, parked_at, data)


def record(event: Event) -> Record:
    """Write an event as CloudEvents 1.0's Kafka binding has it."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", SOURCE),
        ("ce_type", f"whatsapp.{event.topic.suffix}".encode()),
        ("ce_time", event.time.encode()),
        ("content-type", b"application/json"),
    )
    return Record(event.topic, event.key.encode(), event.data, headers)


def _event(topic: Topic, key: str, name: str, at: datetime, data: Mapping[str, Any]) -> Event:
    written = orjson.dumps(data, option=orjson.OPT_NAIVE_UTC)
    return Event(topic, key, str(uuid5(NAMESPACE, name)), f"{at.isoformat()}+00:00", written)


def _moment(at: Micros | None) -> datetime | None:
    return None if at is None else EPOCH + timedelta(microseconds=at)


def _error(failed_at: datetime | None, code: int | None, message: str | None) -> dict[str, Any] | None:
    return None if failed_at is None else {"code": code, "message": message}


class Entry(NamedTuple):
    """What one transaction has to tell: events, and campaigns to be published as they are when it is their turn."""

    events: tuple[Event, ...] = ()
    campaigns: tuple[UUID, ...] = ()

    def dumps(self) -> bytes:
        """Write it for the outbox."""
        events = [
            (event.topic.suffix, event.key, event.id, event.time, orjson.Fragment(event.data)) for event in self.events
        ]
        return orjson.dumps({"events": events, "campaigns": list(map(str, self.campaigns))})

    @classmethod
    def loads(cls, text: bytes) -> "Entry":
        """Read it back, byte for byte."""
        content = orjson.loads(text)
        events = tuple(
            Event(TOPIC_NAMED[suffix], key, id_, time, orjson.dumps(data))
            for suffix, key, id_, time, data in content["events"]
        )
        return cls(events, tuple(map(UUID, content["campaigns"])))
