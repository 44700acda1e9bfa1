"""An outbox entry is published as it was written, also by another process."""

from datetime import datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from status_service.events import Entry, Event, ProvenRow, WrittenRow, campaign_event, proven_row, unmatched_event
from status_service.merge import Status

moments = st.none() | st.datetimes(datetime(2009, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 -- as PostgreSQL's are
codes = st.none() | st.integers(-(2**31), 2**31 - 1)
# Whatever PostgreSQL can hold: no NUL, no lone surrogates.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
written_rows = st.builds(
    WrittenRow,
    position=st.integers(0, 5000),
    id=st.uuids(),
    campaign_id=st.uuids(),
    status_before=st.sampled_from(Status),
    status=st.sampled_from([status.value for status in Status]),
    written=st.just(value=True),
    first_proven=st.integers(0, 15),
    recipient_number=texts,
    sent_at=moments,
    delivered_at=moments,
    read_at=moments,
    failed_at=moments,
    error_code=codes,
    failure_message=st.none() | texts,
)
counts = st.integers(0, 2**31 - 1)
campaigns = st.fixed_dictionaries(
    {
        "campaign_id": st.uuids(),
        "user_id": st.uuids(),
        "status": st.sampled_from(["pending", "processing", "completed", "paused", "failed"]),
        "total_recipients": st.none() | counts,
        "successful_sends": counts,
        "failed_sends": counts,
        "delivered_count": counts,
        "read_count": counts,
        "revision": st.integers(0, 2**63 - 1),
    }
)
micros = st.none() | st.integers(1_230_768_000_000_000, 4_102_444_800_000_000)
parked = st.fixed_dictionaries(
    {
        "message_id": texts.filter(bool),
        "callback_id": st.none() | st.uuids(),
        "phone_number_id": st.none() | texts,
        "sent_at": micros,
        "delivered_at": micros,
        "read_at": micros,
        "failed_at": micros,
        "error_code": codes,
        "error_message": st.none() | texts,
        "parked_at": moments.filter(bool),
    }
)
proven_rows = st.builds(proven_row, texts, st.integers(0, 15), written_rows, st.uuids().map(str), st.uuids().map(str))
some_events = campaigns.map(campaign_event) | parked.map(unmatched_event)


@given(st.lists(proven_rows, max_size=5), st.lists(some_events, max_size=5), st.lists(st.uuids(), max_size=3))
def test_the_outbox_gives_back_what_was_written_byte_for_byte(
    rows: list[ProvenRow], events: list[Event], campaign_ids: list[UUID]
) -> None:
    entry = Entry(rows, events, campaign_ids)
    again = Entry.loads(entry.dumps())
    assert again == entry
    assert list(again.all_events()) == list(entry.all_events())
