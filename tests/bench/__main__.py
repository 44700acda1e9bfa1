"""`python -m tests.bench`: measures the services beside what they cannot beat and beside the obvious way."""

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tests.bench import consumer, receiver
from tests.bench.ground import ground

RESULTS = Path(__file__).parents[2] / ".cache" / "bench"

BENCHMARKS = {"receiver": receiver.measure, "consumer": consumer.measure}

command_line = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@command_line.command()
def run(names: Annotated[list[str], typer.Argument(help="receiver, consumer, ...")], *, rounds: int = 5) -> None:
    """Run benchmarks, in this order, and keep what they gave."""
    uvloop.run(_run(names, rounds))


async def _run(names: list[str], rounds: int) -> None:
    async with ground() as where:
        for name in names:
            results = await BENCHMARKS[name](where, rounds)
            results.write(RESULTS)


if __name__ == "__main__":
    command_line()
