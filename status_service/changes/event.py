"""The event of a fact that begins to hold of a template, a number or an account."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from shared import topics
from status_service.changes import tables
from status_service.changes.saying import Said, Subject
from status_service.changes.tables import Table
from status_service.changes.timeline import canonical
from status_service.events import Event, cloud_event

OF_TEMPLATES: Final = tables.FACTS_OF[Table.TEMPLATES] | tables.FACTS_OF[Table.WHATSAPP_TEMPLATES]


def change_event(subject: Subject, said: Said, rows: Iterable[tuple[Table, dict[str, Any]]]) -> Event:
    """Tell what holds, from when on, and of which rows; without a row, what would have."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for table, about in sorted(rows, key=lambda row: (row[0], row[1]["id"])):
        found[table.value].append(about)
    data = {
        "waba_id": subject.waba_id,
        "fact": said.fact,
        "at": tables.moment(said.held.at),
        "value": tables.published(said),
        "matched": bool(found),
        "rows": found,
    }
    ids = [about["id"] for abouts in found.values() for about in abouts]
    if said.fact in OF_TEMPLATES:
        data |= {"template_id": subject.template_id, "name": subject.name, "language": subject.language}
        topic, key = topics.TEMPLATE, subject.template_id or subject.waba_id
    else:
        data |= {"phone_number": subject.digits}
        topic, key = topics.ACCOUNT, subject.waba_id
    name = canonical([topic.suffix, asdict(subject), said, ids])
    return cloud_event(topic, key, name, tables.moment(said.held.at), data)
