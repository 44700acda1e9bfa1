"""Growth: what a status costs, and what memory and tables take, when there is ten or a hundred times as much."""

import os

from tests.bench.ground import Ground
from tests.bench.growth_cost import costs
from tests.bench.growth_memory import memory
from tests.bench.growth_sizes import sizes
from tests.bench.measured import Results

# Messages in the table. GROWTH_MESSAGES=10000000 asks for one more, which takes its time.
MESSAGES = [10**5, 10**6]


async def measure(ground: Ground, rounds: int) -> Results:
    asked_for = [int(number) for number in os.environ.get("GROWTH_MESSAGES", "").split(",") if number]
    contests = await costs(ground, rounds, [*MESSAGES, *asked_for])
    return Results("growth", contests, [*await memory(ground), *await sizes(ground)])
