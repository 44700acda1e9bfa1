"""What the tables must say in the end, from the plan alone.

Written from the merge rule in words, on sets of statuses and with no look at the services, because it judges them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from tests.simulator.plan import Plan
from tests.simulator.statuses import Status

PROVES_READ = frozenset({"read", "played"})
PROVES_DELIVERED = PROVES_READ | {"delivered"}
PROVES_SENT = PROVES_DELIVERED | {"sent"}

# A wamid and what became true of it: sent, delivered, read or failed.
Event: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class MeantMessage:
    """A row of message_logs; times are Unix seconds."""

    status: str
    sent_at: int | None = None
    delivered_at: int | None = None
    read_at: int | None = None
    failed_at: int | None = None
    error_code: int | None = None
    error_message: str | None = None

    def events(self) -> list[str]:
        """Give what subscribers must hear of it: each time stands for its evidence, implied evidence included."""
        times = {"sent": self.sent_at, "delivered": self.delivered_at, "read": self.read_at, "failed": self.failed_at}
        return [event for event, time in times.items() if time is not None]


@dataclass(frozen=True, slots=True)
class MeantCampaign:
    """A row of campaign_logs."""

    status: str
    successful_sends: int
    failed_sends: int
    delivered_count: int
    read_count: int


@dataclass(frozen=True, slots=True)
class Model:
    """Messages and the ids of their rows, each by its wamid."""

    messages: dict[str, MeantMessage]
    row_ids: dict[str, UUID]
    campaign: MeantCampaign

    @property
    def events(self) -> frozenset[Event]:
        """What must be heard at least once, and nothing else ever."""
        return frozenset((wamid, event) for wamid, message in self.messages.items() for event in message.events())


def make_model(plan: Plan) -> Model:
    told: dict[str, list[Status]] = defaultdict(list)
    for status in plan.statuses:
        told[status.recipient.wamid].append(status)
    messages = {recipient.wamid: meant_message(told[recipient.wamid]) for recipient in plan.recipients}
    row_ids = {wamid: plan.row_id(wamid) for wamid in messages}
    return Model(messages, row_ids, meant_campaign(messages.values()))


def meant_message(statuses: Iterable[Status]) -> MeantMessage:
    evidence = [status for status in statuses if status.payment_id is None]
    sent_at = _earliest(evidence, PROVES_SENT)
    delivered_at = _earliest(evidence, PROVES_DELIVERED)
    read_at = _earliest(evidence, PROVES_READ)
    failures = [_failure(status) for status in evidence if status.status == "failed"]
    failed_at, error_code, error_message = min(failures, key=_nulls_last, default=(None, None, None))
    if read_at is not None:
        status = "read"
    elif delivered_at is not None:
        status = "delivered"
    elif failed_at is not None:
        status = "failed"
    elif sent_at is not None:
        status = "sent"
    else:
        status = "pending"
    seen_by_the_user = error_message if status == "failed" else None
    return MeantMessage(status, sent_at, delivered_at, read_at, failed_at, error_code, seen_by_the_user)


def meant_campaign(messages: Iterable[MeantMessage]) -> MeantCampaign:
    statuses = [message.status for message in messages]
    read = statuses.count("read")
    delivered = read + statuses.count("delivered")
    successful = delivered + statuses.count("sent")
    failed = statuses.count("failed")
    if successful + failed == 0:
        status = "pending"
    elif successful + failed < len(statuses):
        status = "processing"
    else:
        status = "completed"
    return MeantCampaign(status, successful, failed, delivered, read)


def _earliest(evidence: list[Status], proof: frozenset[str]) -> int | None:
    return min((status.second for status in evidence if status.status in proof), default=None)


Failure = tuple[int, int | None, str | None]


def _failure(status: Status) -> Failure:
    if not status.errors:
        return status.second, None, None
    first = status.errors[0]
    text = next((part for part in (first.details, first.message, first.title) if part), None)
    return status.second, first.code, text


def _nulls_last(failure: Failure) -> tuple[int, bool, int, bool, bytes]:
    second, code, text = failure
    return second, code is None, code or 0, text is None, (text or "").encode()
