"""How long it takes from a status's POST to its row, seen from outside: samples, and one poller of their columns."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tests.simulator.database import DATABASE_AWAY, connect
from tests.simulator.disorder import Body
from tests.simulator.model import PROVES_DELIVERED, PROVES_READ, PROVES_SENT
from tests.simulator.queries import query

POLL_SECONDS = 0.01

PROVEN_BY = {
    "sent_at": PROVES_SENT,
    "delivered_at": PROVES_DELIVERED,
    "read_at": PROVES_READ,
    "failed_at": frozenset({"failed"}),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """The body at `place` in the sending order is the first that makes this column of this message true."""

    place: int
    wamid: str
    column: str


def draw_samples(bodies: Sequence[Body], wamids: frozenset[str], count: int, seed: int) -> list[Sample]:
    first: dict[tuple[str, str], int] = {}
    for place, body in enumerate(bodies):
        for status in body.statuses():
            if status.payment_id is None and status.recipient.wamid in wamids:
                for column, proof in PROVEN_BY.items():
                    if status.status in proof:
                        first.setdefault((status.recipient.wamid, column), place)
    samples = [Sample(place, wamid, column) for (wamid, column), place in first.items()]
    return random.Random(seed).sample(samples, min(count, len(samples)))


class LatencyWatch:
    def __init__(self, samples: Sequence[Sample]) -> None:
        # In seconds; as exact as the pause of the poller and one small query.
        self.latencies: list[float] = []
        self._samples: dict[int, list[Sample]] = defaultdict(list)
        for sample in samples:
            self._samples[sample.place].append(sample)
        self._unseen = len(samples)
        self._posted: dict[tuple[str, str], float] = {}

    def on_post(self, place: int, moment: float) -> None:
        for sample in self._samples.get(place, ()):
            self._posted[sample.wamid, sample.column] = moment

    async def watch(self, database_url: str, campaign_id: UUID) -> None:
        """Poll until every sample was seen."""
        while self._unseen:
            try:
                await self._poll(database_url, campaign_id)
            except DATABASE_AWAY:
                await asyncio.sleep(POLL_SECONDS)

    async def _poll(self, database_url: str, campaign_id: UUID) -> None:
        async with connect(database_url) as connection:
            while self._unseen:
                if self._posted:
                    wamids = list({wamid for wamid, _ in self._posted})
                    rows = await connection.fetch(query("proven"), campaign_id, wamids)
                    seen = time.monotonic()
                    for row in rows:
                        for column in PROVEN_BY:
                            if row[column]:
                                self._see(row["message_id"], column, seen)
                await asyncio.sleep(POLL_SECONDS)

    def _see(self, wamid: str, column: str, seen: float) -> None:
        posted = self._posted.pop((wamid, column), None)
        if posted is not None:
            self.latencies.append(seen - posted)
            self._unseen -= 1
