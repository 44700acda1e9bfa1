"""Millions of parked strangers: a foreign number on the account for a day must not slow what is ours."""

import contextlib
import random
import sys
from collections.abc import AsyncIterator
from statistics import median
from time import perf_counter

import asyncpg
import pytest

from status_service import database as databases
from status_service import merge
from status_service.batch import Told
from status_service.store import Store
from tests.faults.databases import migrated_database
from tests.faults.postgres import FaultyPostgres
from tests.told import told

AT = 1_790_812_812 * 1_000_000
STRANGERS = 5_000_000
ROWS = 200_000
CAMPAIGNS = 20
BATCH = 5_000
BATCHES = ROWS // BATCH
# A batch in which one status in fifty is a stranger's, as on an account that somebody else uses too.
STRANGERS_IN_A_BATCH = BATCH // 50
FOREIGN_NUMBER = "not ours"

CREATE_ROWS = """
WITH campaign AS (
    INSERT INTO campaign_logs (user_id, campaign_name, template_used)
    SELECT users.id, number::text, '' FROM users, generate_series(1, $2) AS number
    RETURNING id, campaign_name::integer AS number
)
INSERT INTO message_logs (campaign_id, recipient_number, message_id)
SELECT campaign.id, message, 'wamid.HBgLMTU1NTAxMDAwMDAVAgARGBI' || lpad(message::text, 30, '0')
FROM generate_series(1, $1) AS message
JOIN campaign ON campaign.number = message % $2 + 1
"""
# Parked through the whole day behind us, none of them due.
CREATE_STRANGERS = """
INSERT INTO parked_statuses (message_id, phone_number_id, sent_at, said, parked_at, expires_at)
SELECT 'wamid.' || md5(number::text) || md5((-number)::text), $2, now() AT TIME ZONE 'UTC', 1,
    now() AT TIME ZONE 'UTC' - number * interval '24 hours' / $1::bigint, now() AT TIME ZONE 'UTC' + interval '12 hours'
FROM generate_series(1, $1::bigint) AS number
"""


def batch(number: int, chance: random.Random) -> Told:
    """Give a batch of messages that have rows, some of which are new to everybody."""
    ours = range(number * BATCH + 1, (number + 1) * BATCH + 1 - STRANGERS_IN_A_BATCH)
    names = [f"wamid.HBgLMTU1NTAxMDAwMDAVAgARGBI{message:030}" for message in ours]
    names += [f"wamid.{chance.getrandbits(256):064x}" for _ in range(STRANGERS_IN_A_BATCH)]
    return told({name: merge.of_delivered(AT) for name in names}, phone_number_ids=dict.fromkeys(names, FOREIGN_NUMBER))


@contextlib.asynccontextmanager
async def prepared(server: FaultyPostgres, strangers: int) -> AsyncIterator[Store]:
    with migrated_database(server) as urls:
        owner = await asyncpg.connect(urls.owner)
        await owner.execute("INSERT INTO users (name, email, username, password) VALUES ('', '', '', '')")
        await owner.execute(CREATE_ROWS, ROWS, CAMPAIGNS)
        if strangers:
            await owner.execute(CREATE_STRANGERS, strangers, FOREIGN_NUMBER)
        await owner.execute("VACUUM ANALYZE")
        await owner.close()
        async with databases.connected(urls.status_service) as opened:
            yield Store(opened, parked_ttl_seconds=24 * 60 * 60)


@pytest.mark.long
async def test_five_million_strangers_slow_the_merge_by_less_than_a_tenth(postgres_18: FaultyPostgres) -> None:
    async with prepared(postgres_18, 0) as without, prepared(postgres_18, STRANGERS) as beside:
        ratios = []
        for number in range(BATCHES):
            # In turn, and each first every other time: what else the machine does meanwhile hits both alike.
            stores = {"without": without, "beside": beside}
            seconds = {}
            for name in list(stores)[:: 1 if number % 2 else -1]:
                batch_told = batch(number, random.Random(number))
                began = perf_counter()
                applied = await stores[name].apply(batch_told)
                seconds[name] = perf_counter() - began
                assert len(applied.written) == BATCH - STRANGERS_IN_A_BATCH
                assert applied.without_row == STRANGERS_IN_A_BATCH
            ratios.append(seconds["beside"] / seconds["without"])
        sys.stdout.write(
            f"a batch beside {STRANGERS:,} strangers takes {median(ratios):.3f} times as long as without\n"
        )
        assert median(ratios) < 1.1
