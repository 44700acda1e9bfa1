"""What the services publish about messages and campaigns, in the form they promise."""

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

from pydantic import UUID5, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

# What a row can be by the time that this became true of its message.
POSSIBLE_RESULTS = {
    "sent": {"sent", "delivered", "read", "failed"},
    "delivered": {"delivered", "read"},
    "read": {"read"},
    "failed": {"failed", "delivered", "read"},
}


class MalformedError(Exception):
    """The text names the part that is not as promised."""


class _Published(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class CloudEvent(_Published):
    """The headers of CloudEvents 1.0 in Kafka's binary mode."""

    ce_specversion: Literal["1.0"]
    ce_id: UUID5
    ce_source: str = Field(min_length=1)
    ce_type: str
    ce_time: AwareDatetime
    content_type: Literal["application/json"] = Field(alias="content-type")


class Failure(_Published):
    code: int | None
    message: str | None


class Announcement(_Published):
    """One thing that became true of a message."""

    id: UUID
    message_id: str
    campaign_id: UUID
    user_id: UUID
    recipient: str
    status: str
    sent_at: AwareDatetime | None
    delivered_at: AwareDatetime | None
    read_at: AwareDatetime | None
    failed_at: AwareDatetime | None
    error: Failure | None
    implied: bool


class CampaignRecord(_Published):
    """A campaign's row as it was at one revision."""

    campaign_id: UUID
    user_id: UUID
    status: str
    total_recipients: int
    successful_sends: int
    failed_sends: int
    delivered_count: int
    read_count: int
    revision: int


def read_event(
    event: str, key: bytes | None, headers: Iterable[tuple[str, bytes]], value: bytes
) -> tuple[CloudEvent, Announcement]:
    """Read a record of the topic of `event`. Raises MalformedError."""
    try:
        cloud_event = CloudEvent.model_validate_strings({name: text.decode() for name, text in headers})
        announcement = Announcement.model_validate_json(value)
    except ValidationError as error:
        raise MalformedError(_first_part(error)) from None
    except UnicodeDecodeError:
        raise MalformedError("headers") from None
    if cloud_event.ce_type != f"whatsapp.status.{event}":
        raise MalformedError("ce_type")
    if key != announcement.message_id.encode():
        raise MalformedError("key")
    if announcement.status not in POSSIBLE_RESULTS[event]:
        raise MalformedError("status")
    if getattr(announcement, f"{event}_at") is None:
        raise MalformedError(f"{event}_at")
    return cloud_event, announcement


def read_campaign(key: bytes | None, value: bytes) -> CampaignRecord:
    """Read a record of the topic of campaigns. Raises MalformedError."""
    try:
        record = CampaignRecord.model_validate_json(value)
    except ValidationError as error:
        raise MalformedError(_first_part(error)) from None
    if key != str(record.campaign_id).encode():
        raise MalformedError("key")
    return record


def _first_part(error: ValidationError) -> str:
    return ".".join(map(str, error.errors()[0]["loc"])) or "value"
