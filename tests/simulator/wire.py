"""A body's exact bytes and their signature, as Meta writes them."""

import hashlib
import hmac
import json
from typing import Any

from tests.simulator.disorder import Body
from tests.simulator.statuses import Status, contact_as_json, status_as_json

# Lower-case \\uXXXX for all that is not ASCII; the encoder is kept because making one costs as much as using it.
_encode_json = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
# These stand only inside strings, so the finished text can be searched for them. Meta escapes them as well
# (its Messenger pages say so), `<` with a capital C.
_ALSO_ESCAPED = (("/", r"\/"), ("<", r"\u003C"), ("%", r"\u0025"), ("@", r"\u0040"))


def encode_body(body: Body) -> bytes:
    entries = [_entry(changes) for changes in body.entries]
    return encode_document({"object": "whatsapp_business_account", "entry": entries})


def encode_document(document: dict[str, Any]) -> bytes:
    text = _encode_json(document)
    for character, escape in _ALSO_ESCAPED:
        text = text.replace(character, escape)
    return text.encode("ascii")


def sign(body: bytes, app_secret: bytes) -> str:
    """Give the value of X-Hub-Signature-256."""
    return "sha256=" + hmac.digest(app_secret, body, hashlib.sha256).hex()


def _entry(changes: tuple[tuple[Status, ...], ...]) -> dict[str, Any]:
    waba_id = changes[0][0].recipient.business.waba_id
    return {"id": waba_id, "changes": [{"value": _value(change), "field": "messages"} for change in changes]}


def _value(change: tuple[Status, ...]) -> dict[str, Any]:
    business = change[0].recipient.business
    value: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": business.display_phone_number,
            "phone_number_id": business.phone_number_id,
        },
    }
    contacts = {
        status.recipient.number: contact for status in change if (contact := contact_as_json(status)) is not None
    }
    if contacts:
        value["contacts"] = list(contacts.values())
    value["statuses"] = [status_as_json(status) for status in change]
    return value
