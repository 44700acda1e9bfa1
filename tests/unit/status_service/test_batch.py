"""Folding a batch to one entry a message."""

import json

from status_service.batch import Batch, Undecodable, fold
from status_service.decode import StatusValue
from status_service.merge import Evidence
from tests.told import told

RECEIVED_AT = "2026-10-01T12:00:00+00:00"
RECEIVED = 1_790_856_000 * 1_000_000


def record(message_id: str, status: str, timestamp: str) -> bytes:
    document = {"id": message_id, "status": status, "timestamp": timestamp}
    return json.dumps({"received_at": RECEIVED_AT, "status": document}).encode()


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
    )
