"""The laws of the merge rule: any order, duplication or split of a message's statuses ends in the same row."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from status_service.merge import RANK, Evidence, Row, join, merge
from tests.property.evidence import rows, single_evidence

evidence = st.lists(single_evidence, min_size=1, max_size=4).map(lambda parts: reduce(join, parts))


@given(evidence, evidence)
def test_joining_is_commutative(one: Evidence, other: Evidence) -> None:
    assert join(one, other) == join(other, one)


@given(evidence, evidence, evidence)
def test_joining_is_associative(one: Evidence, other: Evidence, third: Evidence) -> None:
    assert join(join(one, other), third) == join(one, join(other, third))


@given(evidence)
def test_joining_is_idempotent(one: Evidence) -> None:
    assert join(one, one) == one


@given(rows, st.lists(single_evidence, min_size=1, max_size=6), st.data())
def test_order_duplication_and_split_do_not_matter(row: Row, statuses: list[Evidence], data: st.DataObject) -> None:
    expected = reduce(merge, statuses, row)
    repeats = data.draw(st.lists(st.sampled_from(statuses)))
    disordered = data.draw(st.permutations(statuses + repeats))
    cut = data.draw(st.integers(1, len(disordered)))
    batches = [batch for batch in (disordered[:cut], disordered[cut:]) if batch]
    assert reduce(merge, (reduce(join, batch) for batch in batches), row) == expected


@given(rows, evidence)
def test_merging_again_changes_nothing(row: Row, one: Evidence) -> None:
    once = merge(row, one)
    assert merge(once, one) == once


@given(rows, evidence)
def test_times_are_in_order_and_the_status_never_falls(row: Row, one: Evidence) -> None:
    after = merge(row, one)
    times = [time for time in (after.evidence.sent_at, after.evidence.delivered_at, after.evidence.read_at) if time]
    assert times == sorted(times)
    assert RANK[after.status] >= RANK[row.status]
