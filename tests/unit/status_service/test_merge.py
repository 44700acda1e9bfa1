"""The merge rule's sentences, one by one; tests/property holds the laws."""

import pytest

from status_service.merge import Evidence, Row, Status, join, merge, of_delivered, of_failed, of_read, of_sent

UNTOUCHED = Row(Status.PENDING, Evidence())


def after(*evidence: Evidence, row: Row = UNTOUCHED) -> Row:
    for one in evidence:
        row = merge(row, one)
    return row


def test_a_late_sent_takes_nothing_back() -> None:
    assert after(of_delivered(20), of_sent(10)) == Row(
        Status.DELIVERED, Evidence(sent_at=10, delivered_at=20), proven=1 | 2
    )


def test_read_implies_delivered_and_sent() -> None:
    assert after(of_read(30)) == Row(Status.READ, Evidence(30, 30, 30), proven=1 | 2 | 4)


def test_a_later_delivered_from_a_second_device_changes_nothing() -> None:
    row = after(of_delivered(20))
    assert merge(row, of_delivered(25)) == row


def test_delivery_beats_failure_and_takes_the_error_from_sight() -> None:
    row = after(of_failed(10, 131026, "no"), of_delivered(20))
    assert row == Row(Status.DELIVERED, Evidence(20, 20, None, 10, 131026, None), proven=1 | 2 | 8)


def test_a_late_sent_never_clears_failed() -> None:
    assert after(of_failed(10, 131026, "no"), of_sent(5)).status is Status.FAILED


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        (of_failed(10, 9, "z"), of_failed(11, 1, "a")),
        (of_failed(10, 1, "z"), of_failed(10, 2, "a")),
        (of_failed(10, 1, "a"), of_failed(10, 1, "b")),
        (of_failed(10, 1, "Z"), of_failed(10, 1, "a")),
        (of_failed(10, 1, "\uffff"), of_failed(10, 1, "\U0001f600")),
        (of_failed(10, 9, "z"), of_failed(10, None, "a")),
        (of_failed(10, 1, "z"), of_failed(10, 1, None)),
    ],
)
def test_the_least_failure_is_kept(lesser: Evidence, greater: Evidence) -> None:
    assert join(lesser, greater) == join(greater, lesser) == lesser


def test_what_the_platform_said_is_never_lowered() -> None:
    assert after(of_sent(10), row=Row(Status.READ, Evidence())).status is Status.READ


def test_a_row_set_below_its_own_times_is_put_right() -> None:
    row = Row(Status.FAILED, Evidence(sent_at=10, delivered_at=20, error_message="timeout"))
    assert merge(row, of_sent(10)) == Row(Status.DELIVERED, Evidence(sent_at=10, delivered_at=20), proven=1)


def test_the_platforms_own_error_stays_while_nothing_else_is_known() -> None:
    row = Row(Status.FAILED, Evidence(error_message="timeout"))
    assert merge(row, of_sent(10)) == Row(Status.FAILED, Evidence(sent_at=10, error_message="timeout"), proven=1)
