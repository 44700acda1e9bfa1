"""The merge rule: what the evidence so far proves about one message.

Meta promises no order, repeats itself, leaves `delivered` out when `read` implies it, and ties at one second. So
evidence is joined, never replayed: every column is the earliest evidence of its kind, and the status is a function of
the columns. The join is commutative, associative and idempotent; `sql/merge.sql` says the same to PostgreSQL.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

# Microseconds since 1970-01-01 UTC: what PostgreSQL's timestamp resolves, in a form that costs nothing to compare.
Micros = int


class Status(StrEnum):
    """What message_logs.status can be, from the weakest to the strongest.

    One delivered device means that the person got the message, so delivery beats failure: vendors report
    both for people with several devices (YCloud and fyno.io, on WhatsApp statuses).
    """

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"


RANK = {status: rank for rank, status in enumerate(Status)}
# The statuses that Meta tells of, as bits of Evidence.said and of message_logs.proven.
BIT = {Status.SENT: 1, Status.DELIVERED: 2, Status.READ: 4, Status.FAILED: 8}


class Evidence(NamedTuple):
    """What is proven of one message, by one status or by many; None where there is no evidence of a kind.

    The three failure fields are one fact: the least (time, code, text as UTF-8 bytes), None after everything. `said`
    has the bits of what was told in so many words; of a message that is only said to be read, `sent` is implied.
    """

    sent_at: Micros | None = None
    delivered_at: Micros | None = None
    read_at: Micros | None = None
    failed_at: Micros | None = None
    error_code: int | None = None
    error_message: str | None = None
    said: int = 0


def of_sent(at: Micros) -> Evidence:
    return Evidence(at, said=1)


def of_delivered(at: Micros) -> Evidence:
    """Imply that the message was sent."""
    return Evidence(at, at, said=2)


def of_read(at: Micros) -> Evidence:
    """Imply delivery: Meta sends only `read` when both happen at once (Meta: messages/status reference)."""
    return Evidence(at, at, at, said=4)


def of_failed(at: Micros, code: int | None, text: str | None) -> Evidence:
    return Evidence(None, None, None, at, code, text, 8)


def join(one: Evidence, other: Evidence) -> Evidence:
    """Give what both together prove."""
    sent_at, delivered_at, read_at, failed_at, code, text, said = one
    other_sent_at, other_delivered_at, other_read_at, other_failed_at, other_code, other_text, other_said = other
    # Few messages fail: to compare failures only where there is one saves half of the time of a join.
    if other_failed_at is not None and (failed_at is None or _failure(other) < _failure(one)):
        failed_at, code, text = other_failed_at, other_code, other_text
    return Evidence(
        _earliest(sent_at, other_sent_at),
        _earliest(delivered_at, other_delivered_at),
        _earliest(read_at, other_read_at),
        failed_at,
        code,
        text,
        said | other_said,
    )


def proven(evidence: Evidence) -> int:
    """Give the bits of the statuses that the evidence proves, said or implied: each is an event, once a row."""
    sent, delivered, read = evidence.sent_at, evidence.delivered_at, evidence.read_at
    return (
        (0 if sent is None else 1)
        | (0 if delivered is None else 2)
        | (0 if read is None else 4)
        | (0 if evidence.failed_at is None else 8)
    )


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of message_logs that the merge reads and writes; nothing is said in a row, it is proven."""

    status: Status
    evidence: Evidence
    proven: int = 0


def merge(row: Row, evidence: Evidence) -> Row:
    """Give the row after the evidence; equal to the row if nothing changes."""
    joined = join(row.evidence, evidence)
    # A row's own later times are evidence of the earlier ones too, whoever wrote them.
    read_at = joined.read_at
    delivered_at = _earliest(joined.delivered_at, read_at)
    sent_at = _earliest(joined.sent_at, delivered_at)
    status = max(row.status, _proven(sent_at, delivered_at, read_at, joined.failed_at), key=RANK.__getitem__)
    # The error is what a user sees: none where the message arrived.
    error_message = None if status in {Status.DELIVERED, Status.READ} else joined.error_message
    return Row(
        status,
        joined._replace(
            sent_at=sent_at, delivered_at=delivered_at, read_at=read_at, error_message=error_message, said=0
        ),
        # Of Meta's evidence only: the times that the platform itself wrote are no events.
        row.proven | proven(evidence),
    )


def _proven(sent: Micros | None, delivered: Micros | None, read: Micros | None, failed: Micros | None) -> Status:
    if read is not None:
        return Status.READ
    if delivered is not None:
        return Status.DELIVERED
    if failed is not None:
        return Status.FAILED
    return Status.PENDING if sent is None else Status.SENT


def _earliest(one: Micros | None, other: Micros | None) -> Micros | None:
    if one is None:
        return other
    if other is None or one < other:
        return one
    return other


def _failure(evidence: Evidence) -> tuple[bool, Micros, bool, int, bool, bytes]:
    """Order failures as sql/merge.sql does: None last, text as bytes."""
    at, code, text = evidence.failed_at, evidence.error_code, evidence.error_message
    return at is None, at or 0, code is None, code or 0, text is None, (text or "").encode()
