"""`python -m tests.bench`: measures the services beside what they cannot beat and beside the obvious way."""

import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop

from tests.bench import consumer, growth, line, quick, receiver, storage
from tests.bench.ground import Ground, ground
from tests.bench.measured import Results

KEPT: Final = Path(__file__).parents[2] / ".cache" / "bench"

Measure = Callable[[Ground, int], Awaitable[Results]]
BENCHMARKS: Final[dict[str, Measure]] = {
    "receiver": receiver.measure,
    "consumer": consumer.measure,
    "consumers": consumer.measure_several,
    "line": line.measure,
    "growth": growth.measure,
    "storage": storage.measure,
}
QUICK: Final[dict[str, Measure]] = {"receiver": receiver.measure_quickly, "consumer": consumer.measure_quickly}
ROUNDS: Final = 5
QUICK_ROUNDS: Final = 3

command_line = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@command_line.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(BENCHMARKS)}; all without")] = None,
    *,
    rounds: int = ROUNDS,
) -> None:
    """Run benchmarks, and write what they gave into docs/benchmarks.md."""
    for name in names or list(BENCHMARKS):
        for results in uvloop.run(_measured([BENCHMARKS[name]], rounds)):
            results.write(KEPT)
    report()


@command_line.command()
def report() -> None:
    """Write into docs/benchmarks.md what was measured last."""
    from tests.bench import report as pages  # noqa: PLC0415 -- what draws is installed for `make bench` only

    pages.write([Results.read(file) for file in sorted(KEPT.glob("*.json"))])


@command_line.command("quick")
def run_quickly(
    *, record: Annotated[bool, typer.Option(help="Keep the ratios as those to compare with.")] = False
) -> None:
    """Take two minutes, and say what is slower than what was recorded."""
    results = uvloop.run(_measured([*QUICK.values()], QUICK_ROUNDS))
    if record:
        quick.record(results)
    elif not quick.compare(results):
        raise typer.Exit(1)


async def _measured(measures: Sequence[Measure], rounds: int) -> list[Results]:
    async with ground() as where:
        return [await measure(where, rounds) for measure in measures]


if __name__ == "__main__":
    # As after Ctrl-C, or the servers would stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command_line()
