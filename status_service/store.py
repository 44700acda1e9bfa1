"""The PostgreSQL side: in one transaction, rows are merged and counted, and their events go into the outbox."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

from shared import postgres
from status_service.batch import Told
from status_service.counts import Change, differences
from status_service.database import COUNT_LOCKS, Database, Session
from status_service.events import Entry, ProvenRow, WrittenRow, proven_row, unmatched_event

MERGE: Final = postgres.read_statement(__file__, "merge")
MERGE_UNLOCKED: Final = MERGE.replace("FOR NO KEY UPDATE OF message", "FOR NO KEY UPDATE OF message SKIP LOCKED")
CLAIM: Final = postgres.read_statement(__file__, "claim")
CLAIM_UNLOCKED: Final = CLAIM.replace("FOR NO KEY UPDATE OF message", "FOR NO KEY UPDATE OF message SKIP LOCKED")
BUSY_CAMPAIGNS: Final = postgres.read_statement(__file__, "busy_campaigns")
ROWS_OF_MESSAGES: Final = postgres.read_statement(__file__, "rows_of_messages")
PARK: Final = postgres.read_statement(__file__, "park")
COUNT: Final = postgres.read_statement(__file__, "count")
OWNERS: Final = postgres.read_statement(__file__, "owners")
ADD_TO_OUTBOX: Final = postgres.read_statement(__file__, "add_to_outbox")

# Statuses of a number that is not ours: other systems on the account send from it, and no row will come.
FOREIGN_TTL_SECONDS: Final = 15 * 60


class Locks(Enum):
    """What to do about rows that another session has locked: wait for a moment, or do without them."""

    WAIT = auto()
    SKIP = auto()


class Unmatched(Enum):
    """What becomes of messages without a row: they are parked, leave as `unmatched` events, or are passed over.

    Those whose row is locked are parked in any case: they have one.
    """

    PARK = auto()
    EXPIRE = auto()
    IGNORE = auto()


@dataclass(frozen=True, slots=True)
class Pending:
    """An outbox entry that is committed and has to be published."""

    id: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of messages: rows written, rows that said it all already, messages parked or left without a row."""

    written: frozenset[UUID] = frozenset()
    unchanged: int = 0
    without_row: int = 0
    # Whose rows or campaigns another session had locked; they are parked.
    locked: int = 0
    campaigns: frozenset[UUID] = frozenset()
    pending: Pending | None = None


class Store:
    """Applies what was told."""

    def __init__(self, database: Database, parked_ttl_seconds: int) -> None:
        self._database = database
        self._parked_ttl_seconds = parked_ttl_seconds

    async def apply(
        self, told: Told, locks: Locks = Locks.WAIT, unmatched: Unmatched = Unmatched.PARK, *, undone: bool = False
    ) -> Applied:
        """Merge, claim, park, count and write the events; or only tell what would become of it.

        Raises what asyncpg raises.
        """
        async with self._database.transaction(rolled_back=undone) as session:
            return await self.write(session, told, locks, unmatched)

    async def write(
        self, session: Session, told: Told, locks: Locks, unmatched: Unmatched, parked: Sequence[Any] = ()
    ) -> Applied:
        """Do it in a transaction that the caller has begun; `parked` are the entries that what was told comes from.

        Locks are taken in one order: message rows, parked entries, campaigns.
        """
        busy = await self._busy_campaigns(session, told) if locks is Locks.SKIP else []
        rows, rowless, locked = await self._merge(session, told, locks, busy)
        again = [*locked, *rowless] if unmatched is Unmatched.PARK else locked
        # A recount comes with no evidence, and comes again: there is nothing to keep.
        again = [name for name in again if told.evidence[name].said]
        if again:
            await self._park(session, told.only(again))
        proven = await _proven(session, told, rows)
        gone = set(rowless) if unmatched is Unmatched.EXPIRE else ()
        events = [unmatched_event(entry) for entry in parked if entry["message_id"] in gone]
        pending = await add_to_outbox(session, Entry(proven, events)) if proven or events else None
        # Last, so that the campaign's row, which all consumers want, is locked for the shortest time.
        campaigns = await _count(session, rows, locks)
        return Applied(
            written=frozenset(row.id for _, row in rows if row.written),
            unchanged=sum(not row.written for _, row in rows),
            without_row=len(rowless),
            locked=len(locked),
            campaigns=campaigns,
            pending=pending,
        )

    async def _busy_campaigns(self, session: Session, told: Told) -> list[UUID]:
        claims = [told.callback_ids[name] for name in told.evidence if name in told.callback_ids]
        return [row[0] for row in await session.fetch(BUSY_CAMPAIGNS, list(told.evidence), claims, COUNT_LOCKS)]

    async def _merge(
        self, session: Session, told: Told, locks: Locks, busy: list[UUID]
    ) -> tuple[list[tuple[str, WrittenRow]], list[str], list[str]]:
        """Give the rows with their message ids, the messages without a row, and those whose rows are locked."""
        statement = MERGE if locks is Locks.WAIT else MERGE_UNLOCKED
        rows = await _merged(session, statement, told, list(told.evidence), busy)
        matched = {name for name, _ in rows}
        rowless = [name for name in told.evidence if name not in matched]
        claims = [name for name in rowless if name in told.callback_ids]
        row_ids = [told.callback_ids[name] for name in claims]
        if claims:
            claim = CLAIM if locks is Locks.WAIT else CLAIM_UNLOCKED
            claimed = [row[0] for row in await session.fetch(claim, claims, row_ids, busy)]
            rows += await _merged(session, statement, told, claimed, busy)
        if locks is Locks.WAIT:
            matched = {name for name, _ in rows}
            return rows, [name for name in rowless if name not in matched], []
        # A message may have several rows, some of them locked: it is parked, and merging it again changes nothing.
        got = Counter(name for name, _ in rows)
        there: Iterable[Any] = await session.fetch(ROWS_OF_MESSAGES, list(told.evidence), claims, row_ids)
        locked = [name for name, number in there if number > got[name]]
        skipped = set(locked)
        return rows, [name for name in told.evidence if name not in got and name not in skipped], locked

    async def _park(self, session: Session, told: Told) -> None:
        *columns, said = (list(column) for column in zip(*told.evidence.values(), strict=True))
        await session.execute(
            PARK,
            list(told.evidence),
            [told.callback_ids.get(name) for name in told.evidence],
            [told.phone_number_ids.get(name) for name in told.evidence],
            *columns,
            said,
            self._parked_ttl_seconds,
            min(FOREIGN_TTL_SECONDS, self._parked_ttl_seconds),
        )


async def add_to_outbox(session: Session, entry: Entry) -> Pending:
    """Write an entry in the session's transaction; it is to be published after the commit."""
    return Pending(await session.fetchval(ADD_TO_OUTBOX, entry.dumps()), entry)


async def _merged(
    session: Session, statement: str, told: Told, names: Sequence[str], busy: list[UUID]
) -> list[tuple[str, WrittenRow]]:
    if not names:
        return []
    *columns, _said = (list(column) for column in zip(*(told.evidence[name] for name in names), strict=True))
    rows: Iterable[Any] = await session.fetch(statement, list(names), *columns, busy)
    return [(names[row[0] - 1], WrittenRow._make(row)) for row in rows]


async def _proven(session: Session, told: Told, rows: Sequence[tuple[str, WrittenRow]]) -> list[ProvenRow]:
    proven = [(name, row) for name, row in rows if row.first_proven]
    if not proven:
        return []
    found = await session.fetch(OWNERS, list({row.campaign_id for _, row in proven}))
    # Once a campaign, and not once a row.
    owners = {campaign["id"]: (str(campaign["id"]), str(campaign["user_id"])) for campaign in found}
    return [proven_row(name, told.evidence[name].said, row, *owners[row.campaign_id]) for name, row in proven]


async def _count(session: Session, rows: Sequence[tuple[str, WrittenRow]], locks: Locks) -> frozenset[UUID]:
    """Give the campaigns that were written."""
    changes: list[Change] = [(row.campaign_id, row.status_before, row.status) for _, row in rows]
    # Also of campaigns whose rows said it all already: their first status moves them on.
    counts = differences(changes)
    if not counts:
        return frozenset()
    touched = {row.campaign_id for _, row in rows if row.written}
    columns = (list(column) for column in zip(*counts.values(), strict=True))
    rows_written = [name in touched for name in counts]
    # Where locked rows are skipped, the campaigns are locked already.
    queue = COUNT_LOCKS if locks is Locks.WAIT else None
    written = await session.fetch(COUNT, list(counts), *columns, rows_written, queue)
    return frozenset(row[0] for row in written)
