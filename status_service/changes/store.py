"""The PostgreSQL side of changes: in one transaction, rows are written and what changed goes into the outbox."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from shared import postgres
from status_service.changes import tables, timeline
from status_service.changes.change import Change
from status_service.changes.event import change_event
from status_service.changes.saying import Said, Subject
from status_service.changes.tables import Table
from status_service.changes.timeline import Fact, Seconds, Timeline
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

    Of a cached template also the header with a medium that the platform knows, which Meta's webhooks do not tell.
    """

    table: Table
    id: UUID
    about: dict[str, Any]
    subject: Subject | None
    facts: dict[Fact, Timeline]
    media_header: Any


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
            # A clock of ours that is late does not put off what Meta says is so.
            now = max(now, change.at)
            begun, written = await _write(session, rows, said, subject, now)
            events = _events(begun)
            if not rows and tell_without_row:
                events = [change_event(subject, one, ()) for one in tables.without_row(said, now)]
            pending = await add_to_outbox(session, Entry(events=events)) if events else None
        if not rows:
            return Applied(Outcome.WITHOUT_ROW, pending)
        if events:
            return Applied(Outcome.APPLIED, pending)
        return Applied(Outcome.ANNOUNCED if written else Outcome.UNCHANGED)

    async def let_begin(self, now: Seconds) -> Pending | None:
        """Write what begins or ends by itself, and its events. Raises what asyncpg raises."""
        async with self._database.transaction() as session:
            rows = [
                _row(table, record) for table in DUE for record in await session.fetch(DUE[table], tables.moment(now))
            ]
            begun, _ = await _write(session, rows, (), None, now)
            events = _events(begun)
            return await add_to_outbox(session, Entry(events=events)) if events else None


Begun = list[tuple[Subject, Said, Row]]


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
) -> tuple[Begun, int]:
    """Write what changes; give what begins to hold, of which rows, and the number of rows that were written."""
    begun: Begun = []
    changed: dict[Table, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        after = tables.after(row.table, row.facts, said, now)
        new = tables.begun(row.facts, after)
        if subject is not None and after == row.facts:
            continue
        of = subject or row.subject or Subject(None)
        begun += [(of, one, row) for one in new]
        columns = {name: value for one in new for name, value in tables.columns(row.table, one).items()}
        if "components" in columns:
            columns["components"] = tables.with_media_header(columns["components"], row.media_header)
        kept = {"subject": asdict(of), "facts": timeline.as_json(after), "media_header": row.media_header}
        due = tables.due(after, now)
        changed[row.table].append(
            (row.id, json.dumps(columns), json.dumps(kept), None if due is None else tables.moment(due))
        )
    for table, written in changed.items():
        columns_of = [list(column) for column in zip(*written, strict=True)]
        template_id = [subject and subject.template_id] if table is Table.TEMPLATES else []
        await session.execute(WRITE[table], *columns_of, *template_id)
    return begun, sum(map(len, changed.values()))


def _events(begun: Begun) -> list[Event]:
    """Give an event for each fact that begins to hold of somebody, with all its rows."""
    grouped: dict[str, tuple[Subject, Said, list[tuple[Table, dict[str, Any]]]]] = {}
    for subject, said, row in begun:
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
        json.loads(record.get("media_header") or "null") or kept.get("media_header"),
    )
