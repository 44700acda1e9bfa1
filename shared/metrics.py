"""Metrics, declared once: what each means, and what its labels can be. docs/metrics.md is written from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from prometheus_client import Counter, Gauge, Histogram


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as Prometheus reads it; `labels` says of each what its values are, which are few."""

    name: str
    kind: Kind
    meaning: str
    labels: Mapping[str, str]
    buckets: Sequence[float] = ()

    @property
    def unit(self) -> str:
        return "seconds" if self.name.endswith("_seconds") else "a number"


# In the order of their declaration.
DECLARED: Final[list[Declared]] = []


def counter(name: str, meaning: str, **labels: str) -> Counter:
    """Declare a number that only grows; Prometheus reads it with `_total` behind its name."""
    DECLARED.append(Declared(f"{name}_total", Kind.COUNTER, meaning, labels))
    return Counter(name, meaning, [*labels])


def gauge(name: str, meaning: str, workers: Literal["all", "livesum", "livemin"] = "all", **labels: str) -> Gauge:
    """Declare a number that goes up and down; `workers` says what several of a receiver make of it."""
    DECLARED.append(Declared(name, Kind.GAUGE, meaning, labels))
    return Gauge(name, meaning, [*labels], multiprocess_mode=workers)


def histogram(name: str, meaning: str, buckets: Sequence[float], **labels: str) -> Histogram:
    """Declare a distribution; the buckets are upper limits."""
    DECLARED.append(Declared(name, Kind.HISTOGRAM, meaning, labels, buckets))
    return Histogram(name, meaning, [*labels], buckets=buckets)
