"""Holds the tables against the model, in plain SQL."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.simulator.database import Connection, ask_until
from tests.simulator.model import Model
from tests.simulator.queries import query

POLL_SECONDS = 0.1
EXAMPLES = 5

MESSAGE_COLUMNS = (
    "id", "message_id", "status", "sent_at", "delivered_at", "read_at", "failed_at", "error_code", "error_message"
)  # fmt: skip
CAMPAIGN_COLUMNS = ("status", "successful_sends", "failed_sends", "delivered_count", "read_count")


@dataclass(frozen=True, slots=True)
class Proof:
    """One statement with its result; it holds if the last two columns of each row say the same."""

    claim: str
    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def holds(self) -> bool:
        return bool(self.rows) and all(row[-2] == row[-1] for row in self.rows)


@dataclass(frozen=True, slots=True)
class Difference:
    """A message that is not as meant; a side is None where there is no row."""

    row_id: UUID
    stored: str | None
    meant: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    proofs: tuple[Proof, ...]
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        return all(proof.holds for proof in self.proofs)


CLAIMS = {
    "counts_equal_rows": "The counts in campaign_logs equal the rows they count.",
    "campaign_as_meant": "The campaign is what the simulator meant it to become.",
    "rows_as_meant": "Every message is what the simulator meant, in all columns.",
}


async def wait_until_meant(database_url: str, campaign_id: UUID, model: Model, deadline: float) -> Verdict:
    """Give the verdict as soon as it holds, or the last one at the monotonic `deadline`."""

    async def poll(connection: Connection) -> Verdict:
        await _load(connection, model)
        return await _poll(connection, campaign_id, deadline)

    return await ask_until(database_url, deadline, poll)


async def _poll(connection: Connection, campaign_id: UUID, deadline: float) -> Verdict:
    while True:
        last = time.monotonic() >= deadline
        # The whole table is compared only when its sums are right: a comparison a poll would be a load of its own.
        if last or (await _prove(connection, "campaign_as_meant", campaign_id)).holds:
            verdict = await _judge(connection, campaign_id)
            if last or verdict.holds:
                return verdict
        await asyncio.sleep(POLL_SECONDS)


async def _judge(connection: Connection, campaign_id: UUID) -> Verdict:
    proofs = [await _prove(connection, name, campaign_id) for name in CLAIMS]
    differences = await connection.fetch(query("differences"), campaign_id, EXAMPLES)
    return Verdict(
        tuple(proofs),
        tuple(Difference(found["row_id"], found["stored"], found["meant"]) for found in differences),
    )


async def _prove(connection: Connection, name: str, campaign_id: UUID) -> Proof:
    rows = await connection.fetch(query(name), campaign_id)
    columns = tuple(rows[0].keys()) if rows else ()
    sql = query(name).replace("$1", f"'{campaign_id}'")
    return Proof(CLAIMS[name], sql.strip(), columns, tuple(tuple(row) for row in rows))


async def _load(connection: Connection, model: Model) -> None:
    await connection.execute(query("meant_tables"))
    await connection.copy_records_to_table(
        "meant_messages",
        columns=MESSAGE_COLUMNS,
        records=(
            (
                model.row_ids[wamid],
                wamid,
                meant.status,
                _timestamp(meant.sent_at),
                _timestamp(meant.delivered_at),
                _timestamp(meant.read_at),
                _timestamp(meant.failed_at),
                meant.error_code,
                meant.error_message,
            )
            for wamid, meant in model.messages.items()
        ),
    )
    campaign = model.campaign
    await connection.copy_records_to_table(
        "meant_campaign",
        columns=CAMPAIGN_COLUMNS,
        records=[tuple(getattr(campaign, column) for column in CAMPAIGN_COLUMNS)],
    )


def _timestamp(second: int | None) -> datetime | None:
    """Write it as the tables do: UTC without a zone."""
    return None if second is None else datetime.fromtimestamp(second, UTC).replace(tzinfo=None)
