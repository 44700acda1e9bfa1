"""One status as Meta states it, and its JSON."""

from dataclasses import dataclass
from typing import Any

from tests.simulator.meta_errors import MetaError
from tests.simulator.recipients import Recipient

UNKNOWN_STATUS = "screened"


@dataclass(frozen=True, slots=True)
class Status:
    """What Meta says of one message at one moment; `second` is a Unix time."""

    recipient: Recipient
    status: str
    second: int
    errors: tuple[MetaError, ...] = ()
    priced: bool = False
    # Set on a payment status: its own id, usually no wamid.
    payment_id: str | None = None


def status_as_json(status: Status) -> dict[str, Any]:
    recipient = status.recipient
    stated: dict[str, Any] = {
        "id": status.payment_id or recipient.wamid,
        "status": status.status,
        "timestamp": str(status.second),
        "recipient_id": recipient.number,
    }
    if recipient.callback_data is not None:
        stated["biz_opaque_callback_data"] = recipient.callback_data
    if status.payment_id is not None:
        return stated | {"type": "payment", "payment": _payment(status)}
    if status.status != "failed":
        stated["recipient_user_id"] = recipient.user_id
    if status.priced:
        stated["pricing"] = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "marketing"}
    if status.errors:
        stated["errors"] = [error.as_json() for error in status.errors]
    if status.status == UNKNOWN_STATUS:
        stated["some_new_property"] = {"a": [1, None]}
    return stated


def contact_as_json(status: Status) -> dict[str, Any] | None:
    """Who it was, beside the status; a `failed` comes without."""
    if status.status == "failed":
        return None
    recipient = status.recipient
    profile = {"name": recipient.name}
    if recipient.username is not None and status.status in {"delivered", "read"}:
        profile["username"] = recipient.username
    return {"profile": profile, "wa_id": recipient.number, "user_id": recipient.user_id}


def _payment(status: Status) -> dict[str, Any]:
    return {
        "reference_id": f"order-{status.recipient.number[-6:]}",
        "amount": {"value": 129900, "offset": 100},
        "currency": "INR",
        "transaction": {"id": "order_Q7xkV2", "type": "razorpay", "status": "success", "method": {"type": "upi"}},
    }
