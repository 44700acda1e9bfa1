"""What a platform has of one WhatsApp Business account that two of its users share, and of another one."""

import json
from collections.abc import Mapping
from typing import Any

import asyncpg
import orjson

from shared import envelope, json_text
from status_service.changes.change import Change, decode

WABA, OTHER_WABA = "384920175660431", "999999999999999"
TEMPLATE_ID, NAME = "1407225983650118", "autumn_sale_v3"
TABLES = (
    "users",
    "user_business_info",
    "templates",
    "campaign_logs",
    "message_logs",
    "whatsapp_numbers",
    "whatsapp_templates",
)
# Written with every change; the tests look at what is kept there by what comes of it.
BOOKS = {"updated_at", "webhook_facts", "webhook_facts_due_at"}
JSON = {"components", "template_data", "whatsapp_response", "api_response", "campaign_data"}
RECEIVED_AT = "2026-10-01T00:00:00.000000+00:00"

ROWS = f"""
INSERT INTO users (id, name, email, username, password)
SELECT id::uuid, name, name, name, '' FROM (VALUES
  ('00000000-0000-4000-8000-00000000000a', 'first'),
  ('00000000-0000-4000-8000-00000000000b', 'second'),
  ('00000000-0000-4000-8000-00000000000c', 'stranger')
) AS one (id, name);
INSERT INTO user_business_info (user_id, business_name, whatsapp_number_id, waba_id)
SELECT id, name, CASE name WHEN 'second' THEN '271948360554199' END,
  CASE name WHEN 'stranger' THEN '{OTHER_WABA}' ELSE '{WABA}' END FROM users;
INSERT INTO whatsapp_numbers (user_id, phone_number_id, phone_number, display_name, access_token)
SELECT users.id, one.phone_number_id, one.phone_number, one.label, '' FROM users JOIN (VALUES
  ('first', '271948360554122', '+1 555-014-2200', 'the number'),
  ('first', '271948360554123', '15550142201', 'another number'),
  ('second', '271948360554122', '15550142200', 'the number, shared'),
  ('stranger', '271948360554124', '15550142200', 'its digits elsewhere')
) AS one (owner, phone_number_id, phone_number, label) ON users.name = one.owner;
INSERT INTO templates (user_id, name, category, language, status, components, template_id, header_type)
SELECT users.id, one.name, 'UTILITY', one.language, 'PENDING', '[]', one.template_id, 'NONE' FROM users JOIN (VALUES
  ('first', '{NAME}', 'en_US', NULL),
  ('second', 'renamed', 'en_US', '{TEMPLATE_ID}'),
  ('second', '{NAME}', 'de', NULL),
  ('stranger', '{NAME}', 'en_US', NULL),
  ('stranger', 'replaced', 'en_US', '1407225983650000')
) AS one (owner, name, language, template_id) ON users.name = one.owner;
INSERT INTO whatsapp_templates (phone_number_id, template_name, language, category, status, template_data, components)
SELECT phone_number_id, template_name, language, 'UTILITY', 'PENDING', '{{}}',
  '[{{"type": "HEADER", "format": "IMAGE"}}, {{"type": "BODY", "text": "old"}}]' FROM (VALUES
  ('271948360554122', '{NAME}', 'en-US'),
  ('271948360554199', '{NAME}', 'en_US'),
  ('271948360554122', '{NAME}', 'de'),
  ('271948360554124', '{NAME}', 'en_US')
) AS one (phone_number_id, template_name, language);
"""

# Whose row, and what tells it from its owner's others.
LABELS = {
    "users": "SELECT id, name AS label FROM users",
    "user_business_info": "SELECT id, business_name AS label FROM user_business_info",
    "templates": "SELECT t.id, u.name || ' ' || t.name || ' ' || language AS label FROM templates AS t"
    " JOIN users AS u ON u.id = user_id",
    "campaign_logs": "SELECT id, campaign_name AS label FROM campaign_logs",
    "message_logs": "SELECT id, message_id AS label FROM message_logs",
    "whatsapp_numbers": "SELECT id, display_name AS label FROM whatsapp_numbers",
    "whatsapp_templates": "SELECT id, phone_number_id || ' ' || language AS label FROM whatsapp_templates",
}

Snapshot = Mapping[tuple[str, str], Mapping[str, Any]]


async def snapshot(platform: asyncpg.Connection) -> Snapshot:
    """Give every row of the seven tables by its table and label."""
    found = {}
    for table in TABLES:
        labels = {row["id"]: row["label"] for row in await platform.fetch(LABELS[table])}
        for row in await platform.fetch(f"SELECT * FROM {table}"):
            found[table, labels[row["id"]]] = {
                name: json.loads(value) if name in JSON and value else value
                for name, value in row.items()
                if name not in BOOKS
            }
    return found


def changed(before: Snapshot, after: Snapshot) -> dict[tuple[str, str], dict[str, Any]]:
    """Give the new values of the columns that differ."""
    assert before.keys() == after.keys()
    differences = {
        key: {name: value for name, value in after[key].items() if value != before[key][name]} for key in after
    }
    return {key: columns for key, columns in differences.items() if columns}


def changes_of(body: bytes, received_at: str = RECEIVED_AT) -> list[Change]:
    """Give the changes that a webhook's body is split into."""
    records = envelope.split(body, received_at)
    return [decode(record.value) for record in records if record.topic.suffix in {"raw.template", "raw.account"}]


def parts(body: bytes) -> list[Any]:
    """Give the changes as Meta wrote them."""
    return [change for entry in orjson.loads(body)["entry"] for change in entry["changes"]]


def webhook(field: str, value: Mapping[str, Any], time: int, waba_id: str = WABA) -> bytes:
    """Write a webhook of one change."""
    return json_text.dumps({"entry": [{"id": waba_id, "time": time, "changes": [{"field": field, "value": value}]}]})
