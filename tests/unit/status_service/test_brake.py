"""The brake on dead letters: odd records pass, a fault of ours stops the service."""

import pytest

from status_service.dead_letters import WINDOW_RECORDS, Brake, TooManyDeadLettersError


def test_a_run_up_to_the_limit_passes_and_one_more_does_not() -> None:
    brake = Brake(run=3, share=1)
    brake.check(10, [2, 3, 4])
    with pytest.raises(TooManyDeadLettersError, match=r"DEAD_LETTER_RUN \(3\)"):
        brake.check(10, [2, 3, 4, 5])


def test_a_run_goes_on_in_the_next_batch() -> None:
    brake = Brake(run=3, share=1)
    brake.check(2, [0, 1])
    brake.check(0, [])
    brake.check(5, [0])
    brake.check(5, [3, 4])
    with pytest.raises(TooManyDeadLettersError):
        brake.check(5, [0, 1])


def test_a_good_record_ends_a_run() -> None:
    brake = Brake(run=3, share=1)
    brake.check(4, [1, 2, 3])
    brake.check(5, [1, 2, 3])
    brake.check(7, [0, 1, 2, 4, 5, 6])
    brake.check(1, [])
    brake.check(3, [0, 1, 2])


def test_without_a_run_the_first_bad_record_stops() -> None:
    with pytest.raises(TooManyDeadLettersError):
        Brake(run=0, share=1).check(1000, [500])


def every_tenth(records: int) -> range:
    return range(0, records, 10)


def test_a_share_up_to_the_limit_passes_and_a_larger_one_does_not() -> None:
    brake = Brake(run=5, share=0.1)
    brake.check(1000, every_tenth(1000))
    with pytest.raises(TooManyDeadLettersError, match=r"DEAD_LETTER_SHARE \(0.1\) of the last 1010 records"):
        brake.check(10, [0, 5])


def test_the_share_of_a_few_records_says_nothing() -> None:
    brake = Brake(run=5, share=0)
    for _ in range(5):
        brake.check(2, [0])
    with pytest.raises(TooManyDeadLettersError, match="DEAD_LETTER_SHARE"):
        brake.check(2, [0])


def test_the_share_is_that_of_the_newest_records() -> None:
    brake = Brake(run=5, share=0.1)
    # What was long ago does not excuse a bad deploy,
    for _ in range(1000):
        brake.check(100, [])
    for _ in range(int(0.1 * WINDOW_RECORDS / 50)):
        brake.check(100, range(0, 100, 2))
    with pytest.raises(TooManyDeadLettersError):
        brake.check(100, range(0, 100, 2))
    # and does not weigh on those who recovered from one.
    brake = Brake(run=5, share=0.1)
    for _ in range(10):
        brake.check(1000, every_tenth(1000))
    for _ in range(10):
        brake.check(1000, [])
    for _ in range(10):
        brake.check(1000, every_tenth(1000))


def test_a_batch_larger_than_the_window_is_judged_as_a_whole() -> None:
    brake = Brake(run=5, share=0.1)
    brake.check(5 * WINDOW_RECORDS, every_tenth(5 * WINDOW_RECORDS))
    with pytest.raises(TooManyDeadLettersError):
        brake.check(5 * WINDOW_RECORDS, [*every_tenth(5 * WINDOW_RECORDS), 5])


def test_a_batch_that_is_being_tried_is_given_up_early() -> None:
    brake = Brake(run=5, share=0.01)
    brake.bear(100)
    with pytest.raises(TooManyDeadLettersError, match="101 records of one batch"):
        brake.bear(101)
    # Where the share says less than the run, the run counts.
    Brake(run=5, share=0).bear(5)
    with pytest.raises(TooManyDeadLettersError):
        Brake(run=5, share=0).bear(6)
