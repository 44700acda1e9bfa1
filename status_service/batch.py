"""A batch: what was read from Kafka at once, decoded and folded to one entry a message."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from status_service import merge
from status_service.decode import StatusValue, UndecodableError, decode
from status_service.merge import Evidence, Micros


@dataclass(frozen=True, slots=True)
class Batch:
    """The evidence by message id, and what there is to say about the statuses it came from."""

    evidence: dict[str, Evidence] = field(default_factory=dict)
    values: Counter[StatusValue] = field(default_factory=Counter)
    timestamps_replaced: int = 0
    undecodable: int = 0
    oldest_received_at: Micros | None = None


def fold(values: Iterable[bytes | None]) -> Batch:
    """Decode `raw.status` values and join what they say about the same message."""
    evidence: dict[str, Evidence] = {}
    counted: Counter[StatusValue] = Counter()
    replaced = undecodable = 0
    oldest: Micros | None = None
    for value in values:
        try:
            status = decode(value)
        except UndecodableError:
            undecodable += 1
            continue
        counted[status.value] += 1
        replaced += status.timestamp_replaced
        if oldest is None or status.received_at < oldest:
            oldest = status.received_at
        if status.evidence is not None:
            known = evidence.get(status.message_id)
            evidence[status.message_id] = status.evidence if known is None else merge.join(known, status.evidence)
    return Batch(evidence, counted, replaced, undecodable, oldest)
