"""`python -m tests.bench.floor`: the merge statement, fed with the consumer's batches from memory; and the obvious way.

Both print the statuses a second that they applied.
"""

import gc
import sys
from collections.abc import AsyncIterator, Sequence
from time import perf_counter

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

from shared.settings import read_or_exit
from shared.topics import RAW_STATUS
from status_service import consumer, database, subscription
from status_service.batch import Batch, fold
from status_service.decode import decode
from status_service.settings import StatusSettings
from status_service.store import MERGE

# The first tenth is for warming up, as in the measurement of the service.
WARMING_UP = 0.1

OBVIOUS = """
UPDATE message_logs SET
    status = $2::text,
    sent_at = CASE $2::text WHEN 'sent' THEN now() ELSE sent_at END,
    delivered_at = CASE $2::text WHEN 'delivered' THEN now() ELSE delivered_at END,
    read_at = CASE $2::text WHEN 'read' THEN now() ELSE read_at END
WHERE message_id = $1
"""


async def merge(settings: StatusSettings, statuses: int) -> float:
    """Fold everything first, then merge it, a batch a transaction; give the statuses a second."""
    batches = [fold(values) async for values in _polled(settings, statuses)]
    numbers = [sum(batch.values.values()) for batch in batches]
    parameters = [_columns(batch) for batch in batches]
    del batches
    # What the collector would look through again and again is no part of a floor.
    gc.freeze()
    begin = int(WARMING_UP * len(parameters))
    async with database.connected(str(settings.database_url)) as opened, opened.session() as session:
        for columns in parameters[:begin]:
            await session.fetch(MERGE, *columns, [])
        began = perf_counter()
        for columns in parameters[begin:]:
            await session.fetch(MERGE, *columns, [])
        return sum(numbers[begin:]) / (perf_counter() - began)


async def update_one_by_one(settings: StatusSettings, statuses: int) -> float:
    """Write each status by a statement of its own, as it comes; give the statuses a second."""
    decoded = [decode(value) async for values in _polled(settings, statuses) for value in values][:statuses]
    connection = await asyncpg.connect(str(settings.database_url))
    try:
        statement = await connection.prepare(OBVIOUS)
        began = perf_counter()
        for status in decoded:
            await statement.fetch(status.message_id, status.value.value)
        return len(decoded) / (perf_counter() - began)
    finally:
        await connection.close()


async def _polled(settings: StatusSettings, statuses: int) -> AsyncIterator[Sequence[bytes]]:
    """Poll as the service does."""
    polling = AIOKafkaConsumer(
        RAW_STATUS.name(settings.topic_prefix),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        **subscription.FETCHING,
    )
    await polling.start()
    try:
        while statuses > 0:
            polled = await polling.getmany(timeout_ms=consumer.POLL_MS, max_records=settings.batch_size)
            values = [record.value for records in polled.values() for record in records]
            if values:
                statuses -= len(values)
                yield values
    finally:
        await polling.stop()


def _columns(batch: Batch) -> list[list[object]]:
    evidence = batch.told.evidence
    *columns, _said = (list(column) for column in zip(*evidence.values(), strict=True))
    return [list(evidence), *columns]


def main() -> None:
    way = {"merge": merge, "obvious": update_one_by_one}[sys.argv[1]]
    rate = uvloop.run(way(read_or_exit(StatusSettings), int(sys.argv[2])))
    sys.stdout.write(f"{rate}\n")


if __name__ == "__main__":
    main()
