"""What a status takes on the disks: in Kafka, in PostgreSQL's log and in its tables."""

import asyncpg

from shared.topics import CAMPAIGN, RAW_STATUS, STATUS_DELIVERED, STATUS_READ, STATUS_SENT
from tests.bench.consumer import FULL, prepare, rate_of_services
from tests.bench.ground import Ground, Place
from tests.bench.measured import Reading, Results
from tests.bench.statuses import Order

LOAD = FULL
# Each message is sent, delivered and read.
EVENTS = 3 * LOAD.rows


async def measure(ground: Ground, rounds: int) -> Results:  # noqa: ARG001 -- nothing here depends on what the machine does meanwhile
    """Apply and publish what waits once, and look at what is there then."""
    async with ground.place("storage") as place:
        await prepare(place, LOAD, Order.CAMPAIGN)
        owner = await asyncpg.connect(place.owner_url)
        try:
            await owner.execute("CHECKPOINT")
            begin = await owner.fetchval("SELECT pg_current_wal_lsn()")
            await rate_of_services(ground, place, LOAD, 1)
            written = float(await owner.fetchval("SELECT pg_current_wal_lsn() - $1::pg_lsn", begin))
            table = float(await owner.fetchval("SELECT pg_total_relation_size('message_logs')"))
        finally:
            await owner.close()
        events = sum(
            _kafka_bytes(ground, place, topic.suffix) for topic in (STATUS_SENT, STATUS_DELIVERED, STATUS_READ)
        )
        readings = {
            "raw.status: a status": _kafka_bytes(ground, place, RAW_STATUS.suffix) / LOAD.statuses,
            "status.*: an event": events / EVENTS,
            "campaign: a status": _kafka_bytes(ground, place, CAMPAIGN.suffix) / LOAD.statuses,
            "PostgreSQL's log: a status": written / LOAD.statuses,
            "message_logs with its indexes: a message": table / LOAD.rows,
        }
    return Results("storage", readings=[Reading(name, name, "bytes", [value]) for name, value in readings.items()])


def _kafka_bytes(ground: Ground, place: Place, suffix: str) -> int:
    """Give the size of a topic's segments on one broker."""
    segments = ground.stack.directory.file("kafka").rglob(f"{place.topic(suffix)}-*/*.log")
    return sum(segment.stat().st_size for segment in segments)
