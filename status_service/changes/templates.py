"""What Meta says of templates. Facts about the fields: Meta's webhook references of their names, May 2026."""

from collections.abc import Mapping
from typing import Any, Final

from status_service.changes.saying import UNKNOWN, Reading, Said, seconds, text
from status_service.changes.timeline import Fact, Held, Seconds

# Meta's events, and which of the seed's eight statuses each is. Of two for the same second the later one here holds:
# what forbids sending wins, and a review's result wins over the review.
STATUS_OF_EVENT: Final = {
    # Under review.
    "PENDING": "PENDING",
    # The owner has asked for another review of a rejection.
    "IN_APPEAL": "APPEAL_REQUESTED",
    # Back to what it was before it was archived, which Meta does not name; who brings a template back wants to send it.
    "UNARCHIVED": "ACTIVE",
    # Approved, or unpaused; can be sent.
    "APPROVED": "ACTIVE",
    # No longer flagged or disabled; can be sent again.
    "REINSTATED": "ACTIVE",
    # At risk after negative feedback, but can be sent; the quality rating says the rest.
    "FLAGGED": "ACTIVE",
    # Meta locks a template for a pause (its `other_info` names it), and nobody loses a message by waiting.
    "LOCKED": "PAUSED",
    # Cannot be sent for some hours.
    "PAUSED": "PAUSED",
    # The account has as many templates as it may: Meta did not take this one.
    "LIMIT_EXCEEDED": "REJECTED",
    "REJECTED": "REJECTED",
    # Cannot be sent, and is deleted after 28 days unless it is brought back.
    "ARCHIVED": "DISABLED",
    "DISABLED": "DISABLED",
    # Nobody can send it any more; the seed has no word for it.
    "PENDING_DELETION": "DISABLED",
    "DELETED": "DISABLED",
}
# Worse ones last, so that they win.
QUALITIES: Final = ("UNKNOWN", "GREEN", "YELLOW", "RED")
CATEGORIES: Final = ("AUTHENTICATION", "UTILITY", "MARKETING")
NO_REASON: Final = "NONE"
# Meta's own longest, a body's, is 1,024 characters.
LONGEST_TEXT: Final = 10_000
# Meta's names for a button's parts, as its template references call them.
BUTTON_PARTS: Final = {
    "message_template_button_type": "type",
    "message_template_button_text": "text",
    "message_template_button_url": "url",
    "message_template_button_phone_number": "phone_number",
}


def read(field: str, value: Mapping[str, Any], at: Seconds) -> Reading:
    """Tell what a change of a template says; at is the entry's time."""
    match field:
        case "message_template_status_update":
            return _status(value, at)
        case "message_template_quality_update":
            return _one_of(Fact.QUALITY_RATING, value.get("new_quality_score"), QUALITIES, at)
        case "template_category_update":
            return _category(value, at)
        case "message_template_components_update":
            return _components(value, at)
        case "template_correct_category_detection":
            # Meta thinks that another category would be right; the template keeps its own until that is announced.
            return Reading()
        case _:
            return UNKNOWN


def _one_of(fact: Fact, value: Any, known: tuple[str, ...], at: Seconds) -> Reading:
    return Reading((Said(fact, Held.at_once(at, value)),)) if value in known else UNKNOWN


def _status(value: Mapping[str, Any], at: Seconds) -> Reading:
    event = value.get("event")
    if not isinstance(event, str) or event not in STATUS_OF_EVENT:
        return UNKNOWN
    said = {"event": event, "rejection_reason": _rejection(event, value), "response": value}
    return Reading((Said(Fact.STATUS, Held.at_once(at, said)),))


def _rejection(event: str, value: Mapping[str, Any]) -> str | None:
    """Give Meta's reason with what it explains and recommends; None for what is not rejected."""
    if STATUS_OF_EVENT[event] != "REJECTED":
        return None
    info = value.get("rejection_info")
    info = info if isinstance(info, dict) else {}
    reason = text(value.get("reason"))
    first = event if reason in {None, NO_REASON} else reason
    more = " ".join(filter(None, (_long_text(info, "reason"), _long_text(info, "recommendation"))))
    return f"{first}: {more}" if more else first


def _category(value: Mapping[str, Any], at: Seconds) -> Reading:
    """Tell the category; where Meta announces another one, `new_category` is the present one."""
    present = _one_of(Fact.CATEGORY, value.get("new_category"), CATEGORIES, at)
    announced = value.get("correct_category")
    if announced is None:
        return present
    begins = seconds(value.get("category_update_timestamp"))
    if announced not in CATEGORIES or begins is None:
        return present._replace(unknown=True)
    return present._replace(said=(*present.said, Said(Fact.CATEGORY, Held(begins, announced, at))))


def _components(value: Mapping[str, Any], at: Seconds) -> Reading:
    """Write the components as Meta's template references do; a header of a medium is not among what is told."""
    body = _long_text(value, "message_template_element")
    if body is None:
        return UNKNOWN
    components: list[dict[str, Any]] = []
    if title := _long_text(value, "message_template_title"):
        components.append({"type": "HEADER", "format": "TEXT", "text": title})
    components.append({"type": "BODY", "text": body})
    if footer := _long_text(value, "message_template_footer"):
        components.append({"type": "FOOTER", "text": footer})
    given = value.get("message_template_buttons")
    buttons = [
        {ours: part for meta, ours in BUTTON_PARTS.items() if (part := _long_text(button, meta))}
        for button in (given if isinstance(given, list) else [])
        if isinstance(button, dict)
    ]
    if buttons:
        components.append({"type": "BUTTONS", "buttons": buttons})
    return Reading((Said(Fact.COMPONENTS, Held.at_once(at, components)),))


def _long_text(value: Mapping[str, Any], name: str) -> str | None:
    return text(value.get(name), LONGEST_TEXT)
