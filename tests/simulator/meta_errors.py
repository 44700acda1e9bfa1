"""The errors Meta gives with a `failed` status, in the shapes it gives them."""

import random
from dataclasses import dataclass
from typing import Any

HREF = "/documentation/business-messaging/whatsapp/support/error-codes"


@dataclass(frozen=True, slots=True)
class MetaError:
    """One element of `errors`; a part that is None is left out of the JSON."""

    code: int
    title: str
    message: str | None
    details: str | None

    def as_json(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "title": self.title}
        if self.message is not None:
            error["message"] = self.message
        if self.details is not None:
            error["error_data"] = {"details": self.details}
        return error | {"href": HREF}


def _usual(code: int, title: str, details: str) -> MetaError:
    return MetaError(code, title, title, details)


UNDELIVERABLE = _usual(131026, "Message undeliverable", "Message Undeliverable.")
ECOSYSTEM_LIMIT = _usual(
    131049,
    "This message was not delivered to maintain healthy ecosystem engagement.",
    "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
)
EXPERIMENT = _usual(
    130472,
    "User's number is part of an experiment",
    "Failed to send message because this user's phone number is part of an experiment",
)
OPTED_OUT = _usual(
    131050,
    "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages on WhatsApp "
    "from your business.",
    "Recipient has opted out of marketing messages from this business.",
)
WINDOW_CLOSED = _usual(
    131047,
    "Re-engagement message",
    "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
)
TEMPLATE_PAUSED = _usual(
    132015, "Template is paused", "Template was paused because of low quality; held messages were dropped."
)
TEMPLATE_MISSING = _usual(
    132001,
    "Template name does not exist in the translation",
    "template name (promoção_junho/50%) does not exist in pt_BR",
)
MEDIA_UPLOAD = _usual(131053, "Media upload error", "Unsupported image mime type: image/tiff")
SOMETHING_WRONG = _usual(131000, "Something went wrong", "Message failed to send due to an unknown error.")

# Parts that Meta's pages do not promise: the text falls back from the details to the message to the title.
WITHOUT_ERROR_DATA = MetaError(131016, "Service unavailable", "Service unavailable: try again later", None)
EMPTY_DETAILS = MetaError(131056, "Pair rate limit hit", "Too many messages to this recipient", "")
TITLE_ONLY = MetaError(131031, "Business account locked", None, None)

# How often each is a campaign's reason, per hundred failures.
FREQUENCY = {
    UNDELIVERABLE: 42,
    ECOSYSTEM_LIMIT: 24,
    EXPERIMENT: 9,
    OPTED_OUT: 7,
    WINDOW_CLOSED: 5,
    TEMPLATE_PAUSED: 3,
    TEMPLATE_MISSING: 2,
    MEDIA_UPLOAD: 2,
    SOMETHING_WRONG: 2,
    WITHOUT_ERROR_DATA: 2,
    EMPTY_DETAILS: 1,
    TITLE_ONLY: 1,
}


def draw_error(chance: random.Random) -> MetaError:
    return chance.choices(list(FREQUENCY), weights=list(FREQUENCY.values()))[0]
