"""What benchmarks say of what they measured."""

from pathlib import Path

import pytest

from tests.bench import quick
from tests.bench.measured import Contest, Reading, Results, Spread

CONTEST = Contest(
    "consumer",
    "how fast",
    "statuses/s",
    {"floor": [100.0, 200.0, 400.0], "ours": [50.0, 180.0, 240.0]},
    "floor",
    {"ours": 0.85},
)


def test_a_ratio_is_of_one_rounds_values() -> None:
    assert CONTEST.ratios("ours") == [0.5, 0.9, 0.6]
    assert Spread.of(CONTEST.ratios("ours")) == Spread(0.6, 0.5, 0.9)


@pytest.mark.parametrize(("values", "met"), [([9.0, 11.0, 10.0], True), ([9.0, 12.0, 11.0], False)])
def test_a_reading_is_judged_by_its_median(values: list[float], *, met: bool) -> None:
    assert Reading("p99", "latency", "ms", values, at_most=10).met is met
    assert Reading("rate", "rate", "1/s", [-value for value in values], at_least=-10).met is met


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Results("consumer", [CONTEST], [Reading("p99", "latency", "ms", [1.5], at_most=30)])
    results.write(tmp_path)
    assert Results.read(tmp_path / "consumer.json") == results


def test_what_is_slower_than_recorded_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quick, "RECORDED", tmp_path / "recorded.json")
    quick.record([Results("consumer", [CONTEST])])
    assert quick.compare([Results("consumer", [CONTEST])])
    slower = Contest("consumer", "", "", {"floor": [100.0], "ours": [45.0]}, "floor", {"ours": 0.85})
    assert not quick.compare([Results("consumer", [slower])])
    assert capsys.readouterr().out.splitlines() == [
        "as before  consumer: ours / floor: 0.60 (0.50 to 0.90), recorded 0.60 (0.50 to 0.90)",
        "SLOWER     consumer: ours / floor: 0.45 (0.45 to 0.45), recorded 0.60 (0.50 to 0.90)",
    ]
