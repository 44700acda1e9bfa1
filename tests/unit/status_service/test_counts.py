"""What changes of status do to a campaign's counts."""

from itertools import permutations
from uuid import UUID

import pytest

from status_service.counts import Counts, differences
from status_service.merge import Status

ONE, OTHER = UUID(int=1), UUID(int=2)


def counts(*statuses: Status) -> Counts:
    """Count the plain way, from the contract's words."""
    return Counts(
        successful_sends=sum(status in {Status.SENT, Status.DELIVERED, Status.READ} for status in statuses),
        failed_sends=sum(status is Status.FAILED for status in statuses),
        delivered_count=sum(status in {Status.DELIVERED, Status.READ} for status in statuses),
        read_count=sum(status is Status.READ for status in statuses),
    )


@pytest.mark.parametrize(("before", "after"), list(permutations(Status, 2)))
def test_a_change_is_the_difference_of_the_counts(before: Status, after: Status) -> None:
    expected = Counts(*(new - old for old, new in zip(counts(before), counts(after), strict=True)))
    assert differences([(ONE, before, after)]) == {ONE: expected}


def test_changes_add_up_by_campaign() -> None:
    changes = [(ONE, "pending", "sent"), (ONE, "pending", "read"), (OTHER, "sent", "failed"), (ONE, "sent", "sent")]
    assert differences(changes) == {ONE: Counts(2, 0, 1, 1), OTHER: Counts(-1, 1, 0, 0)}
