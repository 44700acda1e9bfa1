"""What other services are told: CloudEvents in Kafka's binary mode, each with an id that a repetition keeps."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha1
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import orjson

from shared import topics
from shared.records import Record
from shared.topics import Topic
from status_service.merge import BIT, Micros, Status

# Of the ids of our events; no phone number is in them, though a wamid holds one.
NAMESPACE: Final = UUID("5f0d4a3c-7a38-5d0c-9d5e-1c6f0f8f2a11")
# Times are naive UTC here, as PostgreSQL's columns are.
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001
# What UUIDv5 hashes before the name, and its variant: two bits in front of the digit's own.
BEGUN_ID: Final = sha1(NAMESPACE.bytes, usedforsecurity=False)
VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

TOPIC_OF: Final = {
    Status.SENT: topics.STATUS_SENT,
    Status.DELIVERED: topics.STATUS_DELIVERED,
    Status.READ: topics.STATUS_READ,
    Status.FAILED: topics.STATUS_FAILED,
}
KINDS: Final = tuple((status.value, bit, TOPIC_OF[status]) for status, bit in BIT.items())
# How a row's data ends in each of its events.
SAID: Final = b',"implied":false}'
IMPLIED: Final = b',"implied":true}'
SPECVERSION: Final = ("ce_specversion", b"1.0")
SOURCE: Final = ("ce_source", b"/prime-sms/status_service")
TYPE_OF: Final = {topic: ("ce_type", f"whatsapp.{topic.suffix}".encode()) for topic in topics.EVENT_TOPICS}
CONTENT_TYPE: Final = ("content-type", b"application/json")
TOPIC_NAMED: Final = {topic.suffix: topic for topic in topics.TOPICS}


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event: its topic, key (None: of nobody), CloudEvents id and time (RFC 3339), and its data as JSON."""

    topic: Topic
    key: str | None
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


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Meta's code and text, as the row has them."""

    code: int | None
    message: str | None


class StatusData(msgspec.Struct, frozen=True, gc=False):
    """The data of a row's events but for `implied`, which each has for itself; times are RFC 3339."""

    id: str
    message_id: str
    campaign_id: str
    user_id: str
    recipient: str
    status: str
    sent_at: str | None
    delivered_at: str | None
    read_at: str | None
    failed_at: str | None
    error: Failure | None


class ProvenRow(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A row of which something is proven for the first time; said and first_proven are bits as merge.BIT has them."""

    said: int
    first_proven: int
    data: StatusData


def proven_row(message_id: str, said: int, row: WrittenRow, campaign_id: str, user_id: str) -> ProvenRow:
    sent_at, delivered_at, read_at, failed_at = row.sent_at, row.delivered_at, row.read_at, row.failed_at
    data = StatusData(
        str(row.id),
        message_id,
        campaign_id,
        user_id,
        row.recipient_number,
        row.status,
        None if sent_at is None else _rfc3339(sent_at),
        None if delivered_at is None else _rfc3339(delivered_at),
        None if read_at is None else _rfc3339(read_at),
        None if failed_at is None else _rfc3339(failed_at),
        None if failed_at is None else Failure(row.error_code, row.failure_message),
    )
    return ProvenRow(said, row.first_proven, data)


def status_events(row: ProvenRow) -> Iterator[Event]:
    """Give an event for each status that is proven of the row for the first time."""
    data = row.data
    text = _WRITE(data)
    times = (data.sent_at, data.delivered_at, data.read_at, data.failed_at)
    for (status, bit, topic), at in zip(KINDS, times, strict=True):
        if row.first_proven & bit and at is not None:
            ending = SAID if row.said & bit else IMPLIED
            yield Event(topic, data.message_id, _id(f"{data.id}/{data.message_id}/{status}"), at, text[:-1] + ending)


def campaign_event(campaign: Mapping[str, Any]) -> Event:
    """Give the event of a campaign as sql/campaigns.sql gives it."""
    name = f"{campaign['campaign_id']}/{campaign['revision']}"
    now = datetime.now(UTC).replace(tzinfo=None)
    data = {**campaign} | {key: str(campaign[key]) for key in ("campaign_id", "user_id")}
    return cloud_event(topics.CAMPAIGN, data["campaign_id"], name, now, data)


def unmatched_event(entry: Mapping[str, Any]) -> Event:
    """Give the event of a parked entry that expired, as sql/take_parked.sql gives it."""
    parked_at = entry["parked_at"]
    times = {name: _moment(entry[name]) for name in ("sent_at", "delivered_at", "read_at", "failed_at")}
    failed_at = times["failed_at"]
    data = {
        "message_id": entry["message_id"],
        "phone_number_id": entry["phone_number_id"],
        "callback_id": None if entry["callback_id"] is None else str(entry["callback_id"]),
        **times,
        "error": None if failed_at is None else {"code": entry["error_code"], "message": entry["error_message"]},
        "parked_at": parked_at,
    }
    name = f"unmatched/{entry['message_id']}/{parked_at.isoformat()}"
    return cloud_event(topics.UNMATCHED, entry["message_id"], name, parked_at, data)


def record(event: Event) -> Record:
    """Write an event as CloudEvents 1.0's Kafka binding has it."""
    headers = (
        SPECVERSION,
        ("ce_id", event.id.encode()),
        SOURCE,
        TYPE_OF[event.topic],
        ("ce_time", event.time.encode()),
        CONTENT_TYPE,
    )
    return Record(event.topic, None if event.key is None else event.key.encode(), event.data, headers)


def cloud_event(topic: Topic, key: str | None, name: str, at: datetime, data: Mapping[str, Any]) -> Event:
    """Give an event whose id is its name's; `at` is naive UTC."""
    return Event(topic, key, _id(name), _rfc3339(at), orjson.dumps(data, option=orjson.OPT_NAIVE_UTC))


def _id(name: str) -> str:
    """Give the UUIDv5 of a name in our namespace, as text.

    The standard library's takes 3.8 us, this 1.1, for every event.
    """
    digest = BEGUN_ID.copy()
    digest.update(name.encode())
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


# Meta's times are whole seconds, so that a batch repeats few of them many times.
@lru_cache(maxsize=10_000)
def _rfc3339(at: datetime) -> str:
    return f"{at.isoformat()}+00:00"


def _moment(at: Micros | None) -> datetime | None:
    return None if at is None else EPOCH + timedelta(microseconds=at)


class Entry(msgspec.Struct, frozen=True):
    """What one transaction has to tell: rows with their events, other events, and campaigns.

    Campaigns are published as they are when it is their turn.
    """

    rows: Sequence[ProvenRow] = ()
    events: Sequence[Event] = ()
    campaigns: Sequence[UUID] = ()

    def all_events(self) -> Iterator[Event]:
        for row in self.rows:
            yield from status_events(row)
        yield from self.events

    def dumps(self) -> bytes:
        """Write it for the outbox."""
        events = [
            (event.topic.suffix, event.key, event.id, event.time, msgspec.Raw(event.data)) for event in self.events
        ]
        return _WRITE({"rows": self.rows, "events": events, "campaigns": self.campaigns})

    @classmethod
    def loads(cls, text: bytes) -> "Entry":
        """Read it back; its events are the same, byte for byte."""
        kept = _READ(text)
        events = [
            Event(TOPIC_NAMED[suffix], key, id_, time, bytes(data)) for suffix, key, id_, time, data in kept.events
        ]
        return cls(kept.rows, events, kept.campaigns)


class _Kept(msgspec.Struct):
    rows: list[ProvenRow]
    events: list[tuple[str, str | None, str, str, msgspec.Raw]]
    campaigns: list[UUID]


_WRITE: Final = msgspec.json.Encoder().encode
_READ: Final = msgspec.json.Decoder(_Kept).decode
