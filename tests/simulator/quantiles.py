"""The figures by which latencies are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Quantiles:
    """In milliseconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self | None:
        """None where nothing was measured."""
        if not seconds:
            return None
        ordered = sorted(seconds)
        return cls(*(round(1000 * ordered[int(share * (len(ordered) - 1))], 1) for share in (0.5, 0.99, 1.0)))

    def __str__(self) -> str:
        return f"p50 {self.p50:,.1f} ms, p99 {self.p99:,.1f} ms, max {self.max:,.1f} ms"
