"""Folding a batch to one entry a message."""

import json
from itertools import permutations
from uuid import UUID

from status_service.batch import Batch, Undecodable, fold
from status_service.decode import StatusValue
from status_service.merge import Evidence
from tests.told import told

RECEIVED_AT = "2026-10-01T12:00:00+00:00"
RECEIVED = 1_790_856_000 * 1_000_000


def record(message_id: str, status: str, timestamp: str, callback: str | None = None, number: str = "") -> bytes:
    document = {"id": message_id, "status": status, "timestamp": timestamp, "biz_opaque_callback_data": callback}
    sender = {"phone_number_id": number} if number else {}
    return json.dumps({"received_at": RECEIVED_AT, "status": document, **sender}).encode()


def test_statuses_of_one_message_become_one_entry() -> None:
    batch = fold(
        [
            record("A", "read", "1790812830"),
            record("B", "sent", "1790812811"),
            record("A", "sent", "1790812810"),
            record("A", "delivered", "soon"),
            record("C", "warning", "1790812810"),
            b"nothing",
        ]
    )
    second = 1_000_000
    assert batch == Batch(
        told=told(
            {
                "A": Evidence(1790812810 * second, 1790812830 * second, 1790812830 * second, said=1 | 2 | 4),
                "B": Evidence(1790812811 * second, said=1),
            }
        ),
        values={StatusValue.READ: 1, StatusValue.SENT: 2, StatusValue.DELIVERED: 1, StatusValue.WARNING: 1},  # type: ignore[arg-type]
        timestamps_replaced=1,
        undecodable=(Undecodable(5, "no raw.status document: NotJsonError"),),
        oldest_received_at=RECEIVED,
        # The oldest is the one that was sent first.
        age_at_receipt=RECEIVED - 1790812810 * second,
    )


def test_the_row_and_the_number_that_any_status_names_are_its_messages() -> None:
    lesser, greater = UUID(int=1), UUID(int=2)
    statuses = [
        record("A", "sent", "1790812810", number="A's"),
        record("A", "read", "1790812830", str(greater)),
        record("A", "delivered", "1790812820", str(lesser), "A's"),
        record("B", "sent", "1790812811", "order-4711"),
        # What proves nothing claims nothing.
        record("C", "warning", "1790812811", str(lesser), "C's"),
    ]
    for order in permutations(statuses):
        batch = fold(order)
        assert set(batch.told.evidence) == {"A", "B"}
        assert batch.told.callback_ids == {"A": lesser}
        assert batch.told.phone_number_ids == {"A": "A's"}


def test_a_part_is_about_these_messages_only() -> None:
    evidence = {name: Evidence(sent_at=number) for number, name in enumerate("ABC")}
    whole = told(evidence, {"A": UUID(int=1), "B": UUID(int=2)}, {"C": "number"})
    part = whole.only(["C", "A"])
    assert list(part.evidence.items()) == [("C", evidence["C"]), ("A", evidence["A"])]
    assert (part.callback_ids["A"], part.phone_number_ids["C"]) == (UUID(int=1), "number")
    assert whole.evidence == evidence
    assert whole.only([]).evidence == {}
