"""Two minutes of the benchmarks, compared with what was recorded: says what got slower."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from tests.bench.measured import Results, Spread

RECORDED = Path(__file__).with_name("recorded.json")
# Below the least that was recorded by this share, it is slower; the machine's noise is within the spread.
TOLERANCE = 0.05


def record(results: Sequence[Results]) -> None:
    """Keep these ratios as what later ones are compared with."""
    ratios = {name: asdict(spread) for name, spread in _ratios(results)}
    RECORDED.write_bytes(orjson.dumps(ratios, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def compare(results: Sequence[Results]) -> bool:
    """Print each ratio beside the recorded one; tell whether none is slower."""
    recorded = {name: Spread(**spread) for name, spread in orjson.loads(RECORDED.read_bytes()).items()}
    good = True
    for name, now in _ratios(results):
        before = recorded[name]
        slower = now.median < before.low * (1 - TOLERANCE)
        good = good and not slower
        sys.stdout.write(
            f"{'SLOWER' if slower else 'as before':10} {name}: {now.median:.2f} ({now.low:.2f} to {now.high:.2f}),"
            f" recorded {before.median:.2f} ({before.low:.2f} to {before.high:.2f})\n"
        )
    return good


def _ratios(results: Sequence[Results]) -> Iterator[tuple[str, Spread]]:
    for result in results:
        for contest in result.contests:
            for name in contest.targets:
                yield f"{contest.name}: {name} / {contest.beside}", Spread.of(contest.ratios(name))
