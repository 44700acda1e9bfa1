"""Records as a subscriber gets them, and what is made of them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.simulator.announcements import CampaignRecord
from tests.simulator.ledger import Events, EventsVerdict, Fault, Ledger
from tests.unit.simulator.material import CAMPAIGN, a_plan

OTHER_CAMPAIGN = UUID("00000000-0000-4000-8000-000000000052")
USER = UUID("00000000-0000-4000-8000-000000000003")
RECIPIENT, STRANGER = a_plan(recipients=2).recipients
PLAN = replace(a_plan(recipients=2), recipients=(RECIPIENT,))
MEANT = frozenset({(RECIPIENT.wamid, "sent"), (RECIPIENT.wamid, "delivered")})
TIME = "2026-10-01T00:00:00Z"
ROW = CampaignRecord(
    campaign_id=CAMPAIGN,
    user_id=USER,
    status="completed",
    total_recipients=1,
    successful_sends=1,
    failed_sends=0,
    delivered_count=1,
    read_count=0,
    revision=4,
)


@dataclass(frozen=True)
class Record:
    """One event's record; the parts a test changes are given to `changed`."""

    event: str
    message_id: str = RECIPIENT.wamid
    headers: tuple[tuple[str, Any], ...] = ()
    values: tuple[tuple[str, Any], ...] = ()

    def changed(self, headers: dict[str, Any] | None = None, **values: Any) -> "Record":
        return replace(self, headers=tuple((headers or {}).items()), values=tuple(values.items()))

    def all_headers(self) -> list[tuple[str, bytes]]:
        ce_id = uuid5(CAMPAIGN, f"{self.message_id} {self.event}")
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(ce_id),
            "ce_source": "/status_service",
            "ce_type": f"whatsapp.status.{self.event}",
            "ce_time": TIME,
            "content-type": "application/json",
        }
        return [(name, text.encode()) for name, text in (headers | dict(self.headers)).items() if text is not None]

    def value(self) -> bytes:
        times = dict.fromkeys(("sent_at", "delivered_at", "read_at", "failed_at"))
        value = {
            "id": str(PLAN.row_id(self.message_id)),
            "message_id": self.message_id,
            "campaign_id": str(CAMPAIGN),
            "user_id": str(USER),
            "recipient": RECIPIENT.number,
            "status": "delivered",
            **times,
            f"{self.event}_at": TIME,
            "error": None,
            "implied": False,
        }
        return json.dumps(value | dict(self.values)).encode()


SENT, DELIVERED = Record("sent"), Record("delivered")


def a_ledger() -> Ledger:
    return Ledger(PLAN, MEANT)


def judge(*records: Record, wanted: Events = Events.EXACTLY_ONCE, campaigns: Iterable[int] = (4,)) -> EventsVerdict:
    ledger = a_ledger()
    for record in records:
        ledger.note_event(record.event, record.message_id.encode(), record.all_headers(), record.value())
    for revision in campaigns:
        told = ROW.model_copy(update={"revision": revision})
        ledger.note_campaign(str(CAMPAIGN).encode(), told.model_dump_json().encode())
    return ledger.judge(wanted, ROW)


def faults(verdict: EventsVerdict) -> dict[Fault, int]:
    return {fault: found.number for fault, found in verdict.faults.items() if found.number}


def test_every_meant_event_once_and_the_campaigns_row_hold() -> None:
    verdict = judge(SENT, DELIVERED)

    assert verdict.holds
    assert (verdict.meant, verdict.heard, faults(verdict)) == (2, 2, {})


def test_what_was_not_heard_is_missing_and_its_example_holds_no_number() -> None:
    verdict = judge(SENT)

    assert not verdict.holds
    assert faults(verdict) == {Fault.MISSING: 1}
    assert verdict.faults[Fault.MISSING].examples == (f"delivered of …{RECIPIENT.wamid[-10:]}",)


def test_only_at_least_once_forgives_a_repetition() -> None:
    records = (SENT, DELIVERED, DELIVERED, DELIVERED)

    assert judge(*records, wanted=Events.AT_LEAST_ONCE).holds
    assert not judge(*records).holds
    assert faults(judge(*records)) == {Fault.DOUBLED: 1}


def test_a_repetition_has_the_same_id() -> None:
    repeated = DELIVERED.changed({"ce_id": str(uuid5(CAMPAIGN, "another"))})

    verdict = judge(SENT, DELIVERED, repeated, wanted=Events.AT_LEAST_ONCE)

    assert not verdict.holds
    assert faults(verdict) == {Fault.DOUBLED: 1, Fault.CHANGED_ID: 1}


def test_two_events_have_two_ids() -> None:
    ce_id = str(uuid5(CAMPAIGN, "same"))

    verdict = judge(SENT.changed({"ce_id": ce_id}), DELIVERED.changed({"ce_id": ce_id}))

    assert not verdict.holds
    assert faults(verdict) == {Fault.SHARED_ID: 1}


def test_an_event_without_evidence_or_of_a_strange_message_is_unexpected() -> None:
    read = Record("read").changed(status="read")
    strange = Record("sent", STRANGER.wamid)

    verdict = judge(SENT, DELIVERED, read, strange)

    assert not verdict.holds
    assert faults(verdict) == {Fault.UNEXPECTED: 2}


def test_what_is_about_another_campaign_is_not_looked_at() -> None:
    strange = Record("sent", STRANGER.wamid).changed(campaign_id=str(OTHER_CAMPAIGN), status="nonsense")
    same_message = SENT.changed(campaign_id=str(OTHER_CAMPAIGN), id=str(USER))
    ledger = a_ledger()
    ledger.note_campaign(str(OTHER_CAMPAIGN).encode(), b"nonsense")

    assert judge(SENT, DELIVERED, strange, same_message).holds
    assert ledger.judge(Events.EXACTLY_ONCE, ROW).campaign_heard is None


@pytest.mark.parametrize(
    ("record", "part"),
    [
        (SENT.changed({"ce_id": None}), "ce_id"),
        (SENT.changed({"ce_id": str(CAMPAIGN)}), "ce_id"),
        (SENT.changed({"ce_specversion": "0.3"}), "ce_specversion"),
        (SENT.changed({"ce_type": "whatsapp.status.delivered"}), "ce_type"),
        (SENT.changed({"ce_time": "yesterday"}), "ce_time"),
        (SENT.changed({"content-type": "text/plain"}), "content-type"),
        (SENT.changed(status="pending"), "status"),
        (SENT.changed(sent_at=None), "sent_at"),
        (SENT.changed(sent_at=1_790_812_800), "sent_at"),
        (SENT.changed(delivered_at="2026-10-01T00:00:00"), "delivered_at"),
        (SENT.changed(implied="no"), "implied"),
        (SENT.changed(error={"code": "131026", "message": None}), "error.code"),
        (SENT.changed(message_id=STRANGER.wamid), "key"),
        (SENT.changed(campaign_id=str(OTHER_CAMPAIGN)), "campaign_id"),
        (SENT.changed(id=str(PLAN.row_id(STRANGER.wamid))), "id"),
        (SENT.changed(recipient=STRANGER.number), "recipient"),
    ],
)
def test_a_malformed_event_is_named_by_its_part_and_counts_as_not_heard(record: Record, part: str) -> None:
    verdict = judge(record, DELIVERED, wanted=Events.AT_LEAST_ONCE)

    assert not verdict.holds
    assert faults(verdict) == {Fault.MISSING: 1, Fault.MALFORMED: 1}
    assert verdict.faults[Fault.MALFORMED].examples == (f"sent ({part}) of …{RECIPIENT.wamid[-10:]}",)


def test_the_last_record_of_the_campaign_is_its_row() -> None:
    assert judge(SENT, DELIVERED, campaigns=(1, 2, 4)).holds
    assert not judge(SENT, DELIVERED, campaigns=()).holds
    assert not judge(SENT, DELIVERED, campaigns=(4, 3)).holds


def test_a_revision_that_goes_down_is_noted_and_no_fault() -> None:
    verdict = judge(SENT, DELIVERED, campaigns=(1, 3, 2, 4))

    assert verdict.holds
    assert verdict.revisions_down == 1


def test_a_malformed_record_of_the_campaign_is_a_fault() -> None:
    ledger = a_ledger()

    ledger.note_campaign(str(CAMPAIGN).encode(), b'{"campaign_id": 1}')

    assert faults(ledger.judge(Events.AT_LEAST_ONCE, ROW))[Fault.MALFORMED] == 1
