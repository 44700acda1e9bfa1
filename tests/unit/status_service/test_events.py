"""What an event says, and the form in which Kafka gets it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from shared import topics
from shared.records import Record
from status_service.events import (
    NAMESPACE,
    Entry,
    Event,
    WrittenRow,
    campaign_event,
    proven_row,
    record,
    status_events,
    unmatched_event,
)

ROW, CAMPAIGN, USER = UUID(int=1), UUID(int=2), UUID(int=3)
# Naive, as PostgreSQL's columns are.
AT = datetime.fromisoformat("2026-10-01T00:00:12")
SECOND = timedelta(seconds=1)


def row(first_proven: int, **changes: Any) -> WrittenRow:
    written = WrittenRow(
        position=1,
        id=ROW,
        campaign_id=CAMPAIGN,
        status_before="pending",
        status="read",
        written=True,
        first_proven=first_proven,
        recipient_number="15550142200",
        sent_at=AT,
        delivered_at=AT + SECOND,
        read_at=AT + 2 * SECOND,
        failed_at=AT + 3 * SECOND,
        error_code=131026,
        failure_message="no",
    )
    return written._replace(**changes)


def events_of(message_id: str, said: int, written: WrittenRow, user_id: UUID = USER) -> list[Event]:
    return list(status_events(proven_row(message_id, said, written, str(written.campaign_id), str(user_id))))


def events(said: int, written: WrittenRow) -> dict[str, dict[str, Any]]:
    return {
        event.topic.suffix: json.loads(event.data) | {"at": event.time} for event in events_of("wamid", said, written)
    }


def test_a_status_event_says_what_the_row_is() -> None:
    (event,) = events_of("wamid", 4, row(4))
    assert (event.topic, event.key) == (topics.STATUS_READ, "wamid")
    assert json.loads(event.data) == {
        "id": str(ROW),
        "message_id": "wamid",
        "campaign_id": str(CAMPAIGN),
        "user_id": str(USER),
        "recipient": "15550142200",
        "status": "read",
        "sent_at": "2026-10-01T00:00:12+00:00",
        "delivered_at": "2026-10-01T00:00:13+00:00",
        "read_at": "2026-10-01T00:00:14+00:00",
        "failed_at": "2026-10-01T00:00:15+00:00",
        "error": {"code": 131026, "message": "no"},
        "implied": False,
    }


def test_each_status_that_is_proven_for_the_first_time_has_an_event_and_its_own_time() -> None:
    assert {name: event["at"][17:19] for name, event in events(4, row(1 | 2 | 4 | 8)).items()} == {
        "status.sent": "12",
        "status.delivered": "13",
        "status.read": "14",
        "status.failed": "15",
    }
    assert set(events(4, row(2 | 8))) == {"status.delivered", "status.failed"}
    assert events(4, row(0)) == {}


def test_what_was_not_said_in_so_many_words_is_implied() -> None:
    implied = {name: event["implied"] for name, event in events(1 | 4, row(1 | 2 | 4)).items()}
    assert implied == {"status.sent": False, "status.delivered": True, "status.read": False}


def test_there_is_an_error_only_where_something_failed() -> None:
    (event,) = events(1, row(1, failed_at=None, error_code=None, failure_message="the platform's own")).values()
    assert event["error"] is None
    (event,) = events(8, row(8, error_code=None, failure_message=None)).values()
    assert event["error"] == {"code": None, "message": None}


def test_the_id_is_made_of_row_message_and_status() -> None:
    (event,) = events_of("wamid", 4, row(4))
    assert event.id == str(uuid5(NAMESPACE, f"{ROW}/wamid/read"))
    # A repetition by another process, when more was known, has the same.
    (again,) = events_of("wamid", 1, row(4, status="failed", campaign_id=ROW), CAMPAIGN)
    assert again.id == event.id
    ids = {
        found.id
        for message_id in ("wamid", "other")
        for written in (row(1 | 2 | 4 | 8), row(1 | 2 | 4 | 8, id=CAMPAIGN))
        for found in events_of(message_id, 0, written)
    }
    assert len(ids) == 2 * 2 * 4


def test_microseconds_of_a_receipt_are_kept() -> None:
    (event,) = events(1, row(1, sent_at=AT + timedelta(microseconds=7))).values()
    assert event["at"] == event["sent_at"] == "2026-10-01T00:00:12.000007+00:00"


def test_a_campaign_event_has_its_own_id_for_each_revision() -> None:
    campaign = {"campaign_id": CAMPAIGN, "user_id": USER, "status": "processing", "revision": 7, "read_count": 1}
    before = datetime.now(UTC)
    event = campaign_event(campaign)
    assert before <= datetime.fromisoformat(event.time) <= datetime.now(UTC)
    assert (event.topic, event.key) == (topics.CAMPAIGN, str(CAMPAIGN))
    assert json.loads(event.data) == campaign | {"campaign_id": str(CAMPAIGN), "user_id": str(USER)}
    assert event.id == campaign_event(campaign).id != campaign_event(campaign | {"revision": 8}).id


def test_an_unmatched_event_says_what_was_parked_and_since_when() -> None:
    nothing = dict.fromkeys(("callback_id", "sent_at", "delivered_at", "read_at", "failed_at", "error_code"))
    entry = nothing | {
        "message_id": "wamid",
        "phone_number_id": "number",
        "sent_at": 1_790_812_812_000_007,
        "error_message": None,
        "said": 1,
        "parked_at": AT,
    }
    event = unmatched_event(entry)
    assert (event.topic, event.key, event.time) == (topics.UNMATCHED, "wamid", "2026-10-01T00:00:12+00:00")
    assert json.loads(event.data) == {
        "message_id": "wamid",
        "phone_number_id": "number",
        "callback_id": None,
        "sent_at": "2026-10-01T00:00:12.000007+00:00",
        "delivered_at": None,
        "read_at": None,
        "failed_at": None,
        "error": None,
        "parked_at": "2026-10-01T00:00:12+00:00",
    }
    assert event.id == unmatched_event(entry | {"said": 3}).id
    assert event.id != unmatched_event(entry | {"parked_at": AT + SECOND}).id
    (failed,) = [json.loads(unmatched_event(entry | {"failed_at": 0, "error_code": 5}).data)["error"]]
    assert failed == {"code": 5, "message": None}


def test_a_record_is_a_cloud_event_in_binary_mode() -> None:
    event = Event(topics.STATUS_SENT, "wämid", "an id", "2026-10-01T00:00:12+00:00", b"{}")
    assert record(event) == Record(
        topics.STATUS_SENT,
        "wämid".encode(),
        b"{}",
        (
            ("ce_specversion", b"1.0"),
            ("ce_id", b"an id"),
            ("ce_source", b"/prime-sms/status_service"),
            # Whatever prefix the topics have.
            ("ce_type", b"whatsapp.status.sent"),
            ("ce_time", b"2026-10-01T00:00:12+00:00"),
            ("content-type", b"application/json"),
        ),
    )


def test_an_entry_is_read_as_an_earlier_version_wrote_it() -> None:
    # Entries outlive the process, and so the release, that wrote them.
    text = (
        b'{"rows":[[4,6,{"id":"00000000-0000-0000-0000-000000000001","message_id":"wamid",'
        b'"campaign_id":"00000000-0000-0000-0000-000000000002","user_id":"00000000-0000-0000-0000-000000000003",'
        b'"recipient":"15550142200","status":"read","sent_at":null,"delivered_at":"2026-10-01T00:00:12+00:00",'
        b'"read_at":"2026-10-01T00:00:12.000007+00:00","failed_at":null,"error":{"code":5,"message":null}}]],'
        b'"events":[["unmatched","wamid","an id","2026-10-01T00:00:12+00:00",{"b":1,"a":null}]],'
        b'"campaigns":["00000000-0000-0000-0000-000000000002"]}'
    )
    entry = Entry.loads(text)
    unmatched = Event(topics.UNMATCHED, "wamid", "an id", "2026-10-01T00:00:12+00:00", b'{"b":1,"a":null}')
    assert [(event.topic, event.time) for event in entry.all_events()] == [
        (topics.STATUS_DELIVERED, "2026-10-01T00:00:12+00:00"),
        (topics.STATUS_READ, "2026-10-01T00:00:12.000007+00:00"),
        (topics.UNMATCHED, unmatched.time),
    ]
    assert (entry.events, entry.campaigns) == ([unmatched], [CAMPAIGN])
    assert entry.dumps() == text
