"""A batch: what was read from Kafka at once, decoded and folded to one entry a message."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from status_service import merge
from status_service.decode import StatusValue, UndecodableError, decode
from status_service.merge import Evidence, Micros


class Told(NamedTuple):
    """What was told of messages, by message id; the row that is claimed and the number, where they were named."""

    evidence: dict[str, Evidence]
    callback_ids: dict[str, UUID]
    phone_number_ids: dict[str, str]

    def only(self, message_ids: Iterable[str]) -> "Told":
        """Give the part that is about these messages."""
        return Told({name: self.evidence[name] for name in message_ids}, self.callback_ids, self.phone_number_ids)


class Undecodable(NamedTuple):
    """A record, by its position in the batch, that is no status, and why."""

    position: int
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What was told, and what there is to say about the statuses it came from."""

    told: Told = field(default_factory=lambda: Told({}, {}, {}))
    values: Counter[StatusValue] = field(default_factory=Counter)
    timestamps_replaced: int = 0
    undecodable: tuple[Undecodable, ...] = ()
    oldest_received_at: Micros | None = None
    # The largest, from Meta's time of a status to its receipt.
    age_at_receipt: Micros | None = None


def fold(values: Iterable[bytes | None]) -> Batch:
    """Decode `raw.status` values and join what they say about the same message."""
    evidence: dict[str, Evidence] = {}
    callback_ids: dict[str, UUID] = {}
    phone_number_ids: dict[str, str] = {}
    kinds: list[StatusValue] = []
    undecodable: list[Undecodable] = []
    replaced = 0
    oldest: Micros | None = None
    age: Micros | None = None
    for position, value in enumerate(values):
        try:
            status = decode(value)
        except UndecodableError as error:
            undecodable.append(Undecodable(position, str(error)))
            continue
        kinds.append(status.value)
        replaced += status.timestamp_replaced
        if oldest is None or status.received_at < oldest:
            oldest = status.received_at
        proof = status.evidence
        if proof is None:
            continue
        at = proof.failed_at if proof.sent_at is None else proof.sent_at
        if at is not None and (age is None or status.received_at - at > age):
            age = status.received_at - at
        message_id = status.message_id
        known = evidence.get(message_id)
        evidence[message_id] = proof if known is None else merge.join(known, proof)
        if (callback_id := status.callback_id) is not None:
            callback_ids[message_id] = min(callback_ids.get(message_id, callback_id), callback_id)
        if status.phone_number_id is not None:
            phone_number_ids.setdefault(message_id, status.phone_number_id)
    told = Told(evidence, callback_ids, phone_number_ids)
    return Batch(told, Counter(kinds), replaced, tuple(undecodable), oldest, age)
