from collections import Counter
from collections.abc import Sequence

from tests.simulator.disorder import Body, Disorder, Shuffle, Sizes, make_bodies
from tests.simulator.statuses import Status
from tests.unit.simulator.material import a_plan

ORDERLY = Disorder(max_statuses=1, duplicates=0, shuffle=Shuffle.NONE, sizes=Sizes.SKEWED)


def statuses_of(bodies: Sequence[Body]) -> list[Status]:
    return [status for body in bodies for status in body.statuses()]


def test_a_seed_makes_one_disorder() -> None:
    statuses = a_plan().statuses
    disorder = Disorder(50, 0.2, Shuffle.WINDOW, Sizes.SKEWED)

    assert make_bodies(statuses, disorder, 5) == make_bodies(statuses, disorder, 5)
    assert make_bodies(statuses, disorder, 5) != make_bodies(statuses, disorder, 6)


def test_without_disorder_every_status_comes_alone_and_in_order() -> None:
    statuses = a_plan().statuses

    bodies = make_bodies(statuses, ORDERLY, 5)

    assert [body.count() for body in bodies] == [1] * len(statuses)
    assert statuses_of(bodies) == list(statuses)


def test_shuffling_loses_and_adds_nothing() -> None:
    statuses = a_plan(recipients=1000).statuses
    for shuffle in (Shuffle.WINDOW, Shuffle.ALL):
        shuffled = statuses_of(make_bodies(statuses, Disorder(1, 0, shuffle, Sizes.SKEWED), 5))

        assert shuffled != list(statuses)
        assert Counter(shuffled) == Counter(statuses)


def test_a_window_moves_no_status_far() -> None:
    statuses = a_plan(recipients=1000).statuses
    often = Counter(statuses)
    place = {status: index for index, status in enumerate(statuses) if often[status] == 1}

    moved = statuses_of(make_bodies(statuses, Disorder(1, 0, Shuffle.WINDOW, Sizes.SKEWED), 5))

    distances = [abs(index - place[status]) for index, status in enumerate(moved) if status in place]
    assert 0 < max(distances) <= 500


def test_bodies_have_any_size_up_to_the_limit() -> None:
    statuses = a_plan(recipients=5000).statuses

    sizes = Counter(body.count() for body in make_bodies(statuses, Disorder(1000, 0, Shuffle.NONE, Sizes.SKEWED), 5))
    full = Counter(body.count() for body in make_bodies(statuses, Disorder(1000, 0, Shuffle.NONE, Sizes.FULL), 5))

    assert max(sizes) <= 1000
    assert any(size <= 10 for size in sizes)
    assert any(size >= 300 for size in sizes)
    assert full == {1000: len(statuses) // 1000, len(statuses) % 1000: 1}


def test_duplicates_are_statuses_in_other_bodies_and_whole_bodies_again() -> None:
    statuses = a_plan(recipients=3000).statuses

    bodies = make_bodies(statuses, Disorder(5, 0.2, Shuffle.NONE, Sizes.SKEWED), 5)

    repeated_bodies = len(bodies) - len(set(bodies))
    repeated_statuses = len(statuses_of(bodies)) - len(statuses)
    rebatched = len(statuses_of(list(dict.fromkeys(bodies)))) - len(statuses)
    assert 0.05 < repeated_bodies / len(bodies) < 0.15
    assert 0.15 < repeated_statuses / len(statuses) < 0.25
    assert 0.05 < rebatched / len(statuses) < 0.15


def test_some_bodies_have_several_entries_or_changes_and_a_change_is_about_one_number() -> None:
    bodies = make_bodies(a_plan(recipients=1000).statuses, Disorder(20, 0, Shuffle.NONE, Sizes.SKEWED), 5)
    changes = [change for body in bodies for entry in body.entries for change in entry]

    assert any(len(body.entries) > 1 for body in bodies)
    assert any(len(entry) > 1 for body in bodies for entry in body.entries)
    assert all(len({status.recipient.business for status in change}) == 1 for change in changes)
    assert all(changes)
    assert all(entry for body in bodies for entry in body.entries)
