"""Meta's answers to the platform's calls, each with the wamid that the platform then stores in the message's row."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never
from uuid import UUID

from tests.simulator.database import DATABASE_AWAY, RETRY_SECONDS, Connection, connect
from tests.simulator.plan import Plan
from tests.simulator.queries import query

# One statement's: few enough to be short, enough to keep up with any sender.
STORED_AT_ONCE = 500


class Rows(Enum):
    """When rows get their wamids: before the first status, while statuses are sent, or when all were sent."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class SendResponse:
    """Stored as soon as the body at `place` in the sending order is posted."""

    place: int
    row_id: UUID
    wamid: str


def draw_responses(plan: Plan, rows: Rows, bodies: int, seed: int) -> list[SendResponse]:
    """Give what is left to store when the campaign is written, in the order of its storing; what was lost is never."""
    chance = random.Random(f"{seed} responses")
    arriving = [recipient.wamid for recipient in plan.recipients if recipient.callback_data is None]
    chance.shuffle(arriving)
    match rows:
        case Rows.BEFORE:
            return []
        case Rows.DURING:
            places = sorted(chance.randrange(bodies) for _ in arriving)
        case Rows.AFTER:
            places = [bodies] * len(arriving)
        case _:
            assert_never(rows)
    return [SendResponse(place, plan.row_id(wamid), wamid) for place, wamid in zip(places, arriving, strict=True)]


class ResponseStore:
    """Stores the responses as their places are reached."""

    def __init__(self, responses: Sequence[SendResponse]) -> None:
        self._responses = responses
        self._stored = 0
        self._reached = -1
        self._moved = asyncio.Event()

    def reach(self, place: int) -> None:
        self._reached = max(self._reached, place)
        self._moved.set()

    def end(self) -> None:
        """Take all places as reached."""
        self.reach(max((response.place for response in self._responses), default=0))

    async def store(self, database_url: str) -> None:
        """End when all are stored; a database that is away is waited for."""
        while self._stored < len(self._responses):
            try:
                async with connect(database_url) as connection:
                    await self._store(connection)
            except DATABASE_AWAY:
                await asyncio.sleep(RETRY_SECONDS)

    async def _store(self, connection: Connection) -> None:
        while self._stored < len(self._responses):
            next_ones = self._responses[self._stored : self._stored + STORED_AT_ONCE]
            due = [response for response in next_ones if response.place <= self._reached]
            if due:
                columns = [response.row_id for response in due], [response.wamid for response in due]
                await connection.execute(query("store_responses"), *columns)
                self._stored += len(due)
            else:
                self._moved.clear()
                await self._moved.wait()
