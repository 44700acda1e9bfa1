"""A real database and who writes to it: status_service, and the platform as sensibly or not as a test wants."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from status_service.counts import CONTRIBUTION
from status_service.merge import Evidence, Row, Status, join
from tests.unpublished import Unpublished

CREATE_CAMPAIGN = """
WITH owner AS (INSERT INTO users (name, email, username, password) VALUES ($1, $1, $1, '') RETURNING id)
INSERT INTO campaign_logs (user_id, campaign_name, template_used) SELECT id, '', '' FROM owner RETURNING id
"""
INSERT_ROW = """
INSERT INTO message_logs (id, campaign_id, recipient_number, message_id, status, sent_at, delivered_at, read_at,
    failed_at, error_code, error_message)
VALUES ($1, $2, $3, $4, $5, 'epoch'::timestamp + $6 * interval '1 us', 'epoch'::timestamp + $7 * interval '1 us',
    'epoch'::timestamp + $8 * interval '1 us', 'epoch'::timestamp + $9 * interval '1 us', $10, $11)
"""
COUNT_ROW = """
UPDATE campaign_logs SET successful_sends = successful_sends + $2, failed_sends = failed_sends + $3,
    delivered_count = delivered_count + $4, read_count = read_count + $5
WHERE id = $1
"""
OVERWRITE_ROWS = """
UPDATE message_logs SET status = $2, sent_at = 'epoch'::timestamp + $3 * interval '1 us',
    delivered_at = 'epoch'::timestamp + $4 * interval '1 us', read_at = 'epoch'::timestamp + $5 * interval '1 us',
    failed_at = 'epoch'::timestamp + $6 * interval '1 us', error_code = $7, error_message = $8
WHERE message_id = $1
"""
ROW = """
SELECT status, (extract(epoch FROM sent_at) * 1000000)::bigint, (extract(epoch FROM delivered_at) * 1000000)::bigint,
    (extract(epoch FROM read_at) * 1000000)::bigint, (extract(epoch FROM failed_at) * 1000000)::bigint, error_code,
    error_message, proven
FROM message_logs WHERE id = $1
"""


PARKED = """
SELECT message_id, callback_id, phone_number_id, (extract(epoch FROM sent_at) * 1000000)::bigint,
    (extract(epoch FROM delivered_at) * 1000000)::bigint, (extract(epoch FROM read_at) * 1000000)::bigint,
    (extract(epoch FROM failed_at) * 1000000)::bigint, error_code, error_message, said, xmin::text
FROM parked_statuses
"""


@dataclass(frozen=True, slots=True)
class Parked:
    """An entry of parked_statuses, and the transaction that wrote it last."""

    callback_id: UUID | None
    phone_number_id: str | None
    evidence: Evidence
    written_by: str


@dataclass(frozen=True, slots=True)
class World:
    run: asyncio.Runner
    service: Unpublished
    platform: asyncpg.Connection

    async def create_campaign(self) -> UUID:
        campaign_id: UUID = await self.platform.fetchval(CREATE_CAMPAIGN, str(uuid4()))
        return campaign_id

    async def insert_row(self, campaign_id: UUID, row_id: UUID, message_id: str | None, row: Row) -> None:
        """Write a row and count it."""
        written = (row.status, *row.evidence[:6])
        await self.platform.execute(INSERT_ROW, row_id, campaign_id, row_id.hex[:20], message_id, *written)
        await self.platform.execute(COUNT_ROW, campaign_id, *CONTRIBUTION[row.status])

    async def store_message_id(self, row_id: UUID, message_id: str) -> None:
        await self.platform.execute("UPDATE message_logs SET message_id = $2 WHERE id = $1", row_id, message_id)

    async def overwrite_rows(self, message_id: str, row: Row) -> None:
        """Write other times and another status, and count nothing."""
        await self.platform.execute(OVERWRITE_ROWS, message_id, row.status, *row.evidence[:6])

    async def stored(self, row_id: UUID) -> Row:
        found = await self.platform.fetchrow(ROW, row_id)
        assert found is not None
        return Row(Status(found[0]), Evidence(*found[1:7]), found[7])

    async def parked(self) -> dict[str, Parked]:
        return {
            found[0]: Parked(found[1], found[2], Evidence(*found[3:10]), found[10])
            for found in await self.platform.fetch(PARKED)
        }


def folded(statuses: Iterable[tuple[str, Evidence]]) -> dict[str, Evidence]:
    """Join what was said of each message."""
    evidence: dict[str, Evidence] = {}
    for name, one in statuses:
        evidence[name] = join(evidence[name], one) if name in evidence else one
    return evidence
