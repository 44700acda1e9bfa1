"""The PostgreSQL side of changes: in one transaction, rows are written and what changed goes into the outbox."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from shared import postgres
from status_service.changes import tables, timeline
from status_service.changes.change import Change
from status_service.changes.event import change_event
from status_service.changes.saying import Said, Subject
from status_service.changes.tables import Table
from status_service.changes.timeline import NOTHING, Fact, Seconds, Timeline
from status_service.database import Database, Session
from status_service.events import Entry, Event
from status_service.store import Pending, add_to_outbox

FIND: Final = {table: postgres.read_statement(__file__, f"find_{table}") for table in Table}
WRITE: Final = {table: postgres.read_statement(__file__, f"write_{table}") for table in Table}
# Those with facts that begin or end by themselves.
DUE: Final = {
    table: postgres.read_statement(__file__, f"due_{table}")
    for table in (Table.TEMPLATES, Table.WHATSAPP_TEMPLATES, Table.USER_BUSINESS_INFO)
}


log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of a change, as a metric's label."""

    APPLIED = "applied"
    # It begins later.
    ANNOUNCED = "announced"
    # The rows say it already, or something newer.
    UNCHANGED = "unchanged"
    WITHOUT_ROW = "without_row"
    # We know it, and no row has a place for it.
    WITHOUT_EFFECT = "without_effect"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Applied:
    outcome: Outcome
    pending: Pending | None = None


class Row(NamedTuple):
    """A locked row: how an event names it, of whom Meta spoke last, and what it said.

    Of templates also the category; of cached ones the header with a medium that the platform knows, which Meta's
    webhooks do not tell.
    """

    table: Table
    id: UUID
    about: dict[str, Any]
    subject: Subject | None
    facts: dict[Fact, Timeline]
    category: str | None
    media_header: Any


class Written(NamedTuple):
    """What begins to hold, of whom, in which row; and whether something was announced."""

    begun: list[tuple[Subject, Said, Row]]
    announced: bool


class ChangeStore:
    """Applies changes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(
        self, change: Change, now: Seconds, *, tell_without_row: bool = True, undone: bool = False
    ) -> Applied:
        """Write what a change says and its events, or only tell what would become of it. Raises what asyncpg raises."""
        said, subject = change.reading.said, change.subject
        if not said:
            return Applied(Outcome.UNKNOWN if change.reading.unknown else Outcome.WITHOUT_EFFECT)
        async with self._database.transaction(rolled_back=undone) as session:
            rows = [
                row
                for table in tables.tables_of(one.fact for one in said)
                for row in await _found(session, table, subject)
            ]
            written = await _write(session, rows, said, subject, now)
            events = _events(written)
            if not rows and tell_without_row:
                events = [change_event(subject, one, ()) for one in tables.without_row(said, now)]
            pending = await add_to_outbox(session, Entry(events=events)) if events else None
        if not rows:
            return Applied(Outcome.WITHOUT_ROW, pending)
        if events:
            return Applied(Outcome.APPLIED, pending)
        return Applied(Outcome.ANNOUNCED if written.announced else Outcome.UNCHANGED)

    async def let_begin(self, now: Seconds) -> list[Pending]:
        """Write what begins or ends by itself, and its events. Raises what asyncpg raises."""
        try:
            return await self._let_begin(now)
        except asyncpg.PostgresError as error:
            if not postgres.refuses(error):
                raise
        # A row that a constraint or a trigger of the platform's refuses stops no other.
        async with self._database.transaction() as session:
            due = [row.id for row in await _due(session, now)]
        pending = []
        for row_id in due:
            try:
                pending += await self._let_begin(now, row_id)
            except asyncpg.PostgresError as error:
                if not postgres.refuses(error):
                    raise
                log.warning("change_refused", reason=postgres.reason(error))
        return pending

    async def _let_begin(self, now: Seconds, row_id: UUID | None = None) -> list[Pending]:
        async with self._database.transaction() as session:
            written = await _write(session, await _due(session, now, row_id), (), None, now)
            events = _events(written)
            return [await add_to_outbox(session, Entry(events=events))] if events else []


async def _due(session: Session, now: Seconds, row_id: UUID | None = None) -> list[Row]:
    found = []
    for table, statement in DUE.items():
        found += [_row(table, record) for record in await session.fetch(statement, tables.moment(now), row_id)]
    return found


async def _found(session: Session, table: Table, subject: Subject) -> list[Row]:
    match table:
        case Table.TEMPLATES:
            arguments = [subject.template_id, subject.waba_id, subject.name, subject.language]
        case Table.WHATSAPP_TEMPLATES:
            arguments = [subject.waba_id, subject.name, subject.language]
        case Table.WHATSAPP_NUMBERS:
            arguments = [subject.waba_id, subject.digits]
        case Table.USER_BUSINESS_INFO:
            arguments = [subject.waba_id]
    return [_row(table, record) for record in await session.fetch(FIND[table], *arguments)]


async def _write(
    session: Session, rows: Sequence[Row], said: Iterable[Said], subject: Subject | None, now: Seconds
) -> Written:
    """Write what changes; without a subject, the rows' own."""
    written = Written([], announced=False)
    changed: dict[Table, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        after = tables.after(row.table, row.facts, said, now)
        if subject is not None and after == row.facts:
            continue
        of = subject or row.subject or Subject(None)
        new = [one for one in tables.begun(row.facts, after) if not _has(row, one)]
        announced = any(line.coming != row.facts.get(fact, NOTHING).coming for fact, line in after.items())
        written = Written([*written.begun, *((of, one, row) for one in new)], written.announced or announced)
        columns = {name: value for one in new for name, value in tables.columns(row.table, one).items()}
        if "components" in columns:
            columns["components"] = tables.with_media_header(columns["components"], row.media_header)
        kept = {"subject": asdict(of), "facts": timeline.as_json(after), "media_header": row.media_header}
        due = tables.due(after, now)
        changed[row.table].append(
            (row.id, json.dumps(columns), json.dumps(kept), None if due is None else tables.moment(due))
        )
    for table, values in changed.items():
        arrays = [list(column) for column in zip(*values, strict=True)]
        template_id = [subject and subject.template_id] if table is Table.TEMPLATES else []
        await session.execute(WRITE[table], *arrays, *template_id)
    return written


def _has(row: Row, said: Said) -> bool:
    """Tell whether a row has the category already, as it has until an announced one begins: nothing changes then."""
    return said.fact is Fact.CATEGORY and said.held.value == row.category


def _events(written: Written) -> list[Event]:
    """Give an event for each fact that begins to hold of somebody, with all its rows."""
    grouped: dict[str, tuple[Subject, Said, list[tuple[Table, dict[str, Any]]]]] = {}
    for subject, said, row in written.begun:
        key = timeline.canonical([asdict(subject), said])
        grouped.setdefault(key, (subject, said, []))[2].append((row.table, row.about))
    return [change_event(subject, said, rows) for subject, said, rows in grouped.values()]


def _row(table: Table, record: Any) -> Row:
    kept = json.loads(record["facts"] or "{}")
    subject = kept.get("subject")
    return Row(
        table,
        record["id"],
        json.loads(record["about"]),
        subject and Subject(**subject),
        timeline.from_json(kept.get("facts", {})),
        record.get("category"),
        json.loads(record.get("media_header") or "null") or kept.get("media_header"),
    )
