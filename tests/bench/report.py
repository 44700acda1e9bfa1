"""Writes what was measured into docs/benchmarks.md, between its markers, and draws it."""

import os
import platform
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from tests.bench.measured import Contest, Reading, Results, Spread
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"


def write(results: Sequence[Results]) -> None:
    """Replace the tables and plots of these benchmarks; the others, and the text around them, stay."""
    text = DOCUMENT.read_text(encoding="utf-8")
    PLOTS.mkdir(exist_ok=True)
    for result in results:
        text = _replaced(text, result.benchmark, "\n".join(_section(result)))
        if result.contests:
            _draw(result, PLOTS / f"{result.benchmark}.svg")
    DOCUMENT.write_text(text, encoding="utf-8")


def _replaced(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    replaced, number = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{content}\n{end}", text, count=1, flags=re.DOTALL
    )
    if not number:
        raise ValueError(f"{DOCUMENT} has no place for {name}")
    return replaced


def _section(result: Results) -> Iterator[str]:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    yield f"Measured {day} on {os.cpu_count()} cores ({platform.machine()}, Python {platform.python_version()})."
    for contest in result.contests:
        yield from ("", f"**{contest.question}**, in {contest.unit}, {_rounds(contest)}:", "")
        yield f"| | median | spread | beside {contest.beside} | spread | target |"
        yield "|---|---|---|---|---|---|"
        for name, values in contest.values.items():
            value, ratio = Spread.of(values), Spread.of(contest.ratios(name))
            target = contest.targets.get(name)
            wanted = "" if target is None else f"at least {target:g}: {'met' if ratio.median >= target else 'not met'}"
            yield (
                f"| {name} | {value.median:,.0f} | {value.low:,.0f} to {value.high:,.0f} | {ratio.median:.2f} |"
                f" {ratio.low:.2f} to {ratio.high:.2f} | {wanted} |"
            )
    if result.contests:
        yield from ("", f"![{result.benchmark}](benchmarks/{result.benchmark}.svg)")
    if result.readings:
        yield from ("", "| | median | spread | wanted |", "|---|---|---|---|")
        for reading in result.readings:
            spread = Spread.of(reading.values)
            yield (
                f"| {reading.what} | {_number(spread.median)} {reading.unit} |"
                f" {_number(spread.low)} to {_number(spread.high)} | {_wanted(reading)} |"
            )


def _rounds(contest: Contest) -> str:
    number = len(contest.values[contest.beside])
    return f"{number} rounds" if number > 1 else "one round"


def _wanted(reading: Reading) -> str:
    if reading.wanted is None:
        return ""
    return f"{reading.wanted}: {'met' if reading.met else 'not met'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _draw(result: Results, file: Path) -> None:
    """Draw each contestant's ratio: the median as a bar, the rounds as points on it."""
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": result.benchmark, "font.size": 9}
    rows = [(contest, name) for contest in result.contests for name in contest.values if name != contest.beside]
    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.35 * len(rows)), layout="constrained")
    for place, (contest, name) in enumerate(reversed(rows)):
        ratios = contest.ratios(name)
        axes.barh(place, Spread.of(ratios).median, color="#5b8db8", height=0.6)
        axes.plot(ratios, [place] * len(ratios), "o", color="#1f3b57", markersize=3)
        if name in contest.targets:
            axes.plot([contest.targets[name]] * 2, [place - 0.35, place + 0.35], color="#c0392b", linewidth=2)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{name}\n{contest.name}" for contest, name in reversed(rows)])
    axes.set_xlabel("ratio in one round; red: the target, 1: what it is measured beside")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
