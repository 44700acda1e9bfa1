"""What a benchmark measured: contestants taken in turns, so that what the machine did meanwhile befell all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some values, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Contest:
    """One question, asked of several contestants in every round.

    `values` holds a contestant's value of each round, in `unit`. A ratio is that of one round's values, to those of
    the contestant `beside`; `targets` are the least median ratios that are wanted of some contestants.
    """

    name: str
    question: str
    unit: str
    values: Mapping[str, Sequence[float]]
    beside: str
    targets: Mapping[str, float] = field(default_factory=dict)

    def ratios(self, contestant: str) -> list[float]:
        pairs = zip(self.values[contestant], self.values[self.beside], strict=True)
        return [value / other for value, other in pairs]


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that is compared with a limit instead of a contestant: a latency, a share, a rate."""

    name: str
    what: str
    unit: str
    values: Sequence[float]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def wanted(self) -> str | None:
        if self.at_most is not None:
            return f"at most {self.at_most:,g}"
        return None if self.at_least is None else f"at least {self.at_least:,g}"

    @property
    def met(self) -> bool:
        value = median(self.values)
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


@dataclass(frozen=True, slots=True)
class Results:
    """What one benchmark gives."""

    benchmark: str
    contests: Sequence[Contest] = ()
    readings: Sequence[Reading] = ()

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.benchmark}.json").write_bytes(orjson.dumps(self, option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, file: Path) -> Self:
        content: dict[str, Any] = orjson.loads(file.read_bytes())
        contests = [Contest(**contest) for contest in content["contests"]]
        readings = [Reading(**reading) for reading in content["readings"]]
        return cls(content["benchmark"], contests, readings)
