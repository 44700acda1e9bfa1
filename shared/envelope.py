"""From one webhook body to Kafka records: every entry, change, status and message on its own.

Nothing here refuses a body. What we do not know goes to `raw.other`, what cannot be split to `raw.unroutable`, and
an odd part never takes its neighbours with it.
"""

from typing import Any, Final

from shared import json_text, topics
from shared.raw import Document, Origin, change_document, inbound_document, status_document
from shared.records import Record
from shared.status_webhooks import statuses_alone
from shared.topics import Topic

TEMPLATE_FIELDS: Final = frozenset(
    {
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "template_category_update",
        "template_correct_category_detection",
    }
)
ACCOUNT_FIELDS: Final = frozenset(
    {
        "account_alerts",
        "account_review_update",
        "account_settings_update",
        "account_update",
        "business_capability_update",
        "business_status_update",
        "business_username_updates",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "user_preferences",
    }
)

# What a `messages` change says about all of its parts.
ABOUT_ALL_PARTS: Final = frozenset({"messaging_product", "metadata", "contacts"})

# What nearly every change says, and nothing else.
STATUSES_AND_ABOUT: Final = ABOUT_ALL_PARTS | {"statuses"}

# Kafka's own bytes around a value: batch and record headers, key, lengths.
RECORD_OVERHEAD_BYTES: Final = 16 * 1024


class _Parts:
    """The records of a body so far; `whole` while every part of it could be written as one."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.whole = True

    def add(self, topic: Topic, key: str | None, document: Document) -> None:
        try:
            value = json_text.dumps(document)
        except json_text.NotJsonError:
            self.whole = False
            return
        if len(value) > topic.max_message_bytes - RECORD_OVERHEAD_BYTES:
            self.whole = False
            return
        # A key may hold a lone surrogate; any fixed replacement keeps a message on one partition.
        self.records.append(Record(topic, None if key is None else key.encode("utf-8", "replace"), value))


def split(body: bytes, received_at: str) -> list[Record]:
    """Split a signed body into records; received_at is RFC 3339 UTC.

    A body of which one part cannot be written as a record is kept whole in `raw.unroutable`, beside its other parts.
    """
    records = statuses_alone(body, received_at)
    return split_in_general(body, received_at) if records is None else records


def split_in_general(body: bytes, received_at: str) -> list[Record]:
    """Split a body of any contents."""
    try:
        envelope = json_text.loads(body)
    except json_text.NotJsonError:
        return [_unroutable(body)]
    entries = envelope.get("entry") if isinstance(envelope, dict) else None
    if not isinstance(entries, list):
        return [_unroutable(body)]
    parts = _Parts()
    for entry in entries:
        _add_entry(parts, entry, received_at)
    if not parts.whole:
        parts.records.append(_unroutable(body))
    return parts.records


def _unroutable(body: bytes) -> Record:
    return Record(topics.RAW_UNROUTABLE, None, body)


def _add_entry(parts: _Parts, entry: Any, received_at: str) -> None:
    if isinstance(entry, dict) and isinstance(changes := entry.get("changes"), list):
        for change in changes:
            _add_change(parts, entry, change, received_at)
    else:
        # Graph sends `changed_fields` instead of changes when an app's "Include Values" is off.
        content = entry if isinstance(entry, dict) else {}
        origin = Origin(_text(content.get("id")), None, received_at)
        document = change_document(origin, content.get("id"), content.get("time"), entry)
        parts.add(topics.RAW_OTHER, origin.waba_id, document)


def _add_change(parts: _Parts, entry: Document, change: Any, received_at: str) -> None:
    content = change if isinstance(change, dict) else {}
    field = _text(content.get("field"))
    value = content.get("value")
    origin = _origin(entry, value, received_at)
    if field == "messages" and isinstance(value, dict):
        _add_messages(parts, origin, entry, value)
        return
    document = change_document(origin, entry.get("id"), entry.get("time"), change)
    if field in TEMPLATE_FIELDS:
        template_id = _text(value.get("message_template_id")) if isinstance(value, dict) else None
        parts.add(topics.RAW_TEMPLATE, template_id or origin.waba_id, document)
    elif field in ACCOUNT_FIELDS:
        parts.add(topics.RAW_ACCOUNT, origin.waba_id, document)
    else:
        parts.add(topics.RAW_OTHER, origin.waba_id, document)


def _add_messages(parts: _Parts, origin: Origin, entry: Document, value: Document) -> None:
    statuses, messages = _list(value.get("statuses")), _list(value.get("messages"))

    def add_other(content: Document) -> None:
        about = {key: value[key] for key in ABOUT_ALL_PARTS if key in value}
        change = {"field": "messages", "value": about | content}
        document = change_document(origin, entry.get("id"), entry.get("time"), change)
        parts.add(topics.RAW_OTHER, origin.waba_id, document)

    for status in statuses:
        wamid = _text(status.get("id")) if isinstance(status, dict) else None
        # The id of a payment status is no wamid (Meta: payments reference, "Payment Gateway").
        if wamid is None or status.get("type") == "payment":
            add_other({"statuses": [status]})
        else:
            parts.add(topics.RAW_STATUS, wamid, status_document(origin, status))
    for message in messages:
        if isinstance(message, dict):
            # `from` is missing where the sender hides the phone number; the business-scoped user id is there.
            sender = _text(message.get("from")) or _text(message.get("from_user_id")) or origin.waba_id
            document = inbound_document(origin, message, value.get("metadata"), value.get("contacts"))
            parts.add(topics.RAW_INBOUND, sender, document)
        else:
            add_other({"messages": [message]})
    if statuses and value.keys() <= STATUSES_AND_ABOUT:
        return
    split_keys = {key for key, parts in (("statuses", statuses), ("messages", messages)) if parts}
    rest = {key: part for key, part in value.items() if key not in ABOUT_ALL_PARTS and key not in split_keys}
    if rest or not (statuses or messages):
        add_other(rest)


def _origin(entry: Document, value: Any, received_at: str) -> Origin:
    waba_id, phone_number_id = _text(entry.get("id")), None
    if isinstance(value, dict):
        # Partner events carry a business portfolio's id in `entry.id` (Meta's account_update reference, examples).
        if isinstance(waba_info := value.get("waba_info"), dict):
            waba_id = _text(waba_info.get("waba_id")) or waba_id
        if isinstance(metadata := value.get("metadata"), dict):
            phone_number_id = _text(metadata.get("phone_number_id"))
    return Origin(waba_id, phone_number_id, received_at)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    """Give an id as text: Meta writes most ids as strings, template ids as numbers."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None
