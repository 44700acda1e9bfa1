"""What messages add to their campaign's counts."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from status_service.merge import Status

# Campaign, status before, status after.
Change = tuple[UUID, str, str]


class Counts(NamedTuple):
    """The four counts of campaign_logs. The funnel is cumulative: a read message was delivered and sent."""

    successful_sends: int = 0
    failed_sends: int = 0
    delivered_count: int = 0
    read_count: int = 0


CONTRIBUTION: Final = {
    Status.PENDING: Counts(),
    Status.SENT: Counts(successful_sends=1),
    Status.FAILED: Counts(failed_sends=1),
    Status.DELIVERED: Counts(successful_sends=1, delivered_count=1),
    Status.READ: Counts(successful_sends=1, delivered_count=1, read_count=1),
}
DIFFERENCE: Final = {
    (before, after): Counts(*(new - old for old, new in zip(CONTRIBUTION[before], CONTRIBUTION[after], strict=True)))
    for before in Status
    for after in Status
}


def differences(changes: Iterable[Change]) -> dict[UUID, Counts]:
    """Add up what the changes do to each campaign; a campaign whose counts stay as they are is there with zeros."""
    totals: dict[UUID, Counts] = {}
    for (campaign_id, before, after), number in Counter(changes).items():
        step = DIFFERENCE[Status(before), Status(after)]
        total = totals.get(campaign_id, Counts())
        totals[campaign_id] = Counts(*(old + number * new for old, new in zip(total, step, strict=True)))
    return totals
