"""From statuses in order to request bodies as they arrive: repeated, shuffled, and gathered in any number."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar, assert_never

from tests.simulator.statuses import Status

Item = TypeVar("Item")

# How far from its place a status moves in a shuffled window, and how much later a repetition comes, in places.
WINDOW = 500
REPEAT_WITHIN = 2000
# How many of the bodies that could are spread over several changes or entries.
SPREAD_SHARE = 0.15


class Shuffle(Enum):
    NONE = "none"
    WINDOW = "window"
    ALL = "all"


class Sizes(Enum):
    """SKEWED: any size, small ones more often, as a batching sender has them. FULL: as many as are allowed."""

    SKEWED = "skewed"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Disorder:
    max_statuses: int
    duplicates: float
    shuffle: Shuffle
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Body:
    """One POST: its entries, the changes in each, the statuses in each; a change is about one phone number."""

    entries: tuple[tuple[tuple[Status, ...], ...], ...]

    def statuses(self) -> Iterator[Status]:
        return (status for changes in self.entries for change in changes for status in change)

    def count(self) -> int:
        return sum(len(change) for changes in self.entries for change in changes)


def make_bodies(statuses: Sequence[Status], disorder: Disorder, seed: int) -> list[Body]:
    """Half of the duplicates are single statuses that come again in another body, half are whole bodies sent again."""
    chance = random.Random(seed)
    disordered = _shuffled(_repeated(statuses, disorder.duplicates / 2, chance), disorder.shuffle, chance)
    bodies = [_make_body(part, chance) for part in _split(disordered, disorder, chance)]
    return _repeated(bodies, disorder.duplicates / 2, chance)


def _repeated(items: Sequence[Item], share: float, chance: random.Random) -> list[Item]:
    places = [(float(place), item) for place, item in enumerate(items)]
    places += [(place + chance.uniform(0, REPEAT_WITHIN), item) for place, item in places if chance.random() < share]
    return [item for _, item in sorted(places, key=lambda placed: placed[0])]


def _shuffled(items: list[Item], shuffle: Shuffle, chance: random.Random) -> list[Item]:
    match shuffle:
        case Shuffle.NONE:
            return items
        case Shuffle.WINDOW:
            places = [(place + chance.uniform(0, WINDOW), item) for place, item in enumerate(items)]
            return [item for _, item in sorted(places, key=lambda placed: placed[0])]
        case Shuffle.ALL:
            return chance.sample(items, len(items))
    assert_never(shuffle)


def _split(statuses: list[Status], disorder: Disorder, chance: random.Random) -> Iterator[list[Status]]:
    begin = 0
    while begin < len(statuses):
        end = begin + _draw_size(disorder, chance)
        yield statuses[begin:end]
        begin = end


def _draw_size(disorder: Disorder, chance: random.Random) -> int:
    match disorder.sizes:
        case Sizes.SKEWED:
            size = int(math.exp(chance.uniform(0, math.log(disorder.max_statuses + 1))))
            return min(size, disorder.max_statuses)
        case Sizes.FULL:
            return disorder.max_statuses
    assert_never(disorder.sizes)


def _make_body(statuses: list[Status], chance: random.Random) -> Body:
    changes = list(_changes_of_one_number(statuses))
    if chance.random() >= SPREAD_SHARE:
        return Body((tuple(changes),))
    changes = [half for change in changes for half in _halves(change)]
    cut = chance.randint(0, len(changes) - 1)
    return Body(tuple(tuple(part) for part in (changes[:cut], changes[cut:]) if part))


def _changes_of_one_number(statuses: list[Status]) -> Iterator[tuple[Status, ...]]:
    for number in dict.fromkeys(status.recipient.business for status in statuses):
        yield tuple(status for status in statuses if status.recipient.business == number)


def _halves(change: tuple[Status, ...]) -> Iterator[tuple[Status, ...]]:
    middle = len(change) // 2
    return (half for half in (change[:middle], change[middle:]) if half)
