"""What the consumer has to apply: rows of campaigns, and the statuses of their messages as records of raw.status."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import md5

import asyncpg
import orjson

BEGIN = datetime(2026, 10, 1, 8, tzinfo=UTC)
# A fast number sends a thousand messages a second.
SENT_A_SECOND = 1000
# People get a message within seconds, and read it within minutes.
DELIVERED_SECONDS = 5.0
READ_SECONDS = 120.0

# The id of a message is as long as Meta's, and as random: it says nothing about the row's place.
CREATE_ROWS = """
WITH campaign AS (
    INSERT INTO campaign_logs (user_id, campaign_name, template_used, total_recipients)
    SELECT users.id, number::text, '', $1::integer / $2::integer FROM users, generate_series(0, $2 - 1) AS number
    RETURNING id, campaign_name::integer AS number
)
INSERT INTO message_logs (campaign_id, recipient_number, message_id)
SELECT campaign.id, '49155' || lpad(message::text, 8, '0'), 'wamid.HBgLMTU1NTAxMDAwMDAVAgARGBI' || md5(message::text)
FROM generate_series(0, $1 - 1) AS message
JOIN campaign ON campaign.number = message / ($1 / $2)
ORDER BY message
"""


class Order(StrEnum):
    """How the statuses come: as the campaign's course has it, or in no order at all."""

    CAMPAIGN = "campaign"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Load:
    """So many rows in so many campaigns; each has its three statuses, and some of those come twice."""

    rows: int
    campaigns: int
    repetitions: int

    @property
    def statuses(self) -> int:
        return 3 * self.rows + self.repetitions

    async def create_rows(self, owner: asyncpg.Connection) -> None:
        await owner.execute("INSERT INTO users (name, email, username, password) VALUES ('', '', '', '')")
        await owner.execute(CREATE_ROWS, self.rows, self.campaigns)
        await owner.execute("VACUUM ANALYZE")

    def records(self, order: Order) -> Iterator[tuple[bytes, bytes]]:
        """Give the keys and values."""
        chance = random.Random(20261001)
        told = [one for row in range(self.rows) for one in course(row, chance)]
        told += chance.sample(told, self.repetitions)
        if order is Order.RANDOM:
            chance.shuffle(told)
        else:
            told.sort()
        for at, status, row in told:
            yield _record(row, status, BEGIN + timedelta(seconds=at))


def course(row: int, chance: random.Random) -> Iterator[tuple[float, str, int]]:
    """Give the seconds at which each status of a message comes."""
    at = row / SENT_A_SECOND
    yield at, "sent", row
    at += chance.uniform(0.5, DELIVERED_SECONDS)
    yield at, "delivered", row
    yield at + chance.uniform(0.5, READ_SECONDS), "read", row


def message_id(row: int) -> str:
    return f"wamid.HBgLMTU1NTAxMDAwMDAVAgARGBI{md5(str(row).encode(), usedforsecurity=False).hexdigest()}"


def _record(row: int, status: str, at: datetime) -> tuple[bytes, bytes]:
    wamid = message_id(row)
    document = {
        "waba_id": "102290129340398",
        "phone_number_id": "106540352242922",
        "received_at": (at + timedelta(seconds=1)).isoformat(timespec="microseconds"),
        "status": {
            "id": wamid,
            "status": status,
            "timestamp": str(int(at.timestamp())),
            "recipient_id": f"49155{row:08}",
            "conversation": {"id": "7f6a0a3c1f4f4c0d8f0e", "origin": {"type": "marketing"}},
            "pricing": {"billable": True, "pricing_model": "PMP", "category": "marketing", "type": "regular"},
        },
    }
    return wamid.encode(), orjson.dumps(document)
