"""Which ages of parked entries a sweep looks at."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from status_service.parking import AGES, _ages

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# The promise: a row that appears in the first ten minutes is found by the next sweep.
YOUNG = 10 * MINUTE


def looked_at(swept_until: datetime, now: datetime, parked_at: datetime) -> bool:
    naive = parked_at.replace(tzinfo=None)
    return any(after < naive <= until for after, until in zip(*_ages(swept_until, now), strict=True))


@pytest.mark.parametrize("seconds", [2, 60, 900])
def test_every_sweep_looks_at_young_entries(seconds: int) -> None:
    swept_until = NOW - timedelta(seconds=seconds)
    # Parked in this moment by a server whose clock is ahead; and so old that the last sweep still took it for young.
    for age in (-MINUTE, timedelta(), YOUNG, NOW - swept_until + YOUNG - timedelta(microseconds=1)):
        assert looked_at(swept_until, NOW, NOW - age)


@pytest.mark.parametrize("pause", [timedelta(seconds=20), timedelta(seconds=90), timedelta(minutes=7)])
def test_an_entry_is_looked_at_once_at_each_age(pause: timedelta) -> None:
    parked_at = NOW
    sweeps = [NOW + number * pause for number in range(int(timedelta(hours=24) / pause))]
    old = [
        now - parked_at
        for before, now in pairwise(sweeps)
        if now - parked_at > YOUNG + pause and looked_at(before, now, parked_at)
    ]
    # Each within one pause of the age; a long pause covers several ages at once.
    expected = {-(-age // pause) * pause for age in AGES if age > YOUNG + pause}
    assert old == sorted(expected)


def test_the_first_sweep_looks_at_what_a_restart_may_have_missed() -> None:
    swept_until = NOW - YOUNG
    for age in AGES:
        assert looked_at(swept_until, NOW, NOW - age - YOUNG + timedelta(seconds=1))
