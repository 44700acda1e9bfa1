"""Records of raw.status, as a receiver writes them."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.integration.kafka_records import Given

# 2026-10-01 00:00:12 UTC, in seconds.
AT = 1_790_812_812
RECEIVED_AT = datetime.fromtimestamp(AT + 3600, UTC)


def raw_status(message_id: str, status: str, at: int = AT, **more: Any) -> Given:
    """Give a status at some second, with whatever else Meta says in it."""
    content = {"id": message_id, "status": status, "timestamp": str(at), "recipient_id": "4915550173391", **more}
    return record_of(content)


def record_of(status: dict[str, Any]) -> Given:
    """Give a status object as it is."""
    document = {
        "waba_id": "102290129340398",
        "phone_number_id": "106540352242922",
        "received_at": RECEIVED_AT.isoformat(timespec="microseconds"),
        "status": status,
    }
    return Given(str(status["id"]).encode("utf-8", "replace"), json.dumps(document).encode())


def failure(text: str, code: int = 131026) -> list[dict[str, Any]]:
    """Give the `errors` of a failed status."""
    return [{"code": code, "title": "Message undeliverable", "message": text}]
