"""Which of a campaign's events were heard, how often, and what is wrong with them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from uuid import UUID

from tests.simulator.announcements import Announcement, CampaignRecord, MalformedError, read_campaign, read_event
from tests.simulator.model import Event
from tests.simulator.plan import Plan
from tests.simulator.recipients import mask

EXAMPLES = 5


class Events(Enum):
    """What the services' events are held to; AT_LEAST_ONCE forgives repetitions."""

    NONE = "none"
    AT_LEAST_ONCE = "at-least-once"
    EXACTLY_ONCE = "exactly-once"


class Fault(Enum):
    MISSING = "missing"
    DOUBLED = "doubled"
    UNEXPECTED = "unexpected"
    # A repetition with another ce_id; two events with the same one.
    CHANGED_ID = "changed_id"
    SHARED_ID = "shared_id"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Found:
    number: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventsVerdict:
    """`heard` counts records about the campaign's messages, `meant` the events that must be among them."""

    wanted: Events
    meant: int
    heard: int
    faults: dict[Fault, Found]
    # The last record about the campaign, and its row at the same time.
    campaign_heard: CampaignRecord | None
    campaign_row: CampaignRecord | None
    # How often a campaign's record was older than the one before it; no fault, but worth a look.
    revisions_down: int

    @property
    def unforgiven(self) -> dict[Fault, Found]:
        forgiven = {Fault.DOUBLED} if self.wanted is Events.AT_LEAST_ONCE else set()
        return {fault: found for fault, found in self.faults.items() if found.number and fault not in forgiven}

    @property
    def campaign_holds(self) -> bool:
        return self.campaign_heard is not None and self.campaign_heard == self.campaign_row

    @property
    def holds(self) -> bool:
        return self.campaign_holds and not self.unforgiven


class Ledger:
    """Takes every record of the topics and keeps account of those about one campaign."""

    def __init__(self, plan: Plan, meant: frozenset[Event]) -> None:
        # When a record about the campaign was heard last; before the first, when the listening began.
        self.heard_at = time.monotonic()
        self._plan = plan
        self._campaign_bytes = str(plan.campaign_id).encode()
        self._recipients = {recipient.wamid: recipient for recipient in plan.recipients}
        self._meant = meant
        self._heard = 0
        self._faulty: dict[Fault, set[Event]] = {fault: set() for fault in Fault}
        self._faulty[Fault.MISSING] |= meant
        self._ids: dict[Event, UUID] = {}
        self._events: dict[UUID, Event] = {}
        self._campaign_heard: CampaignRecord | None = None
        self._revisions_down = 0

    def note_event(self, event: str, key: bytes | None, headers: Iterable[tuple[str, bytes]], value: bytes) -> None:
        """Take a record of the topic of `event`."""
        message_id = (key or b"").decode(errors="replace")
        if message_id not in self._recipients and self._campaign_bytes not in value:
            return
        try:
            cloud_event, announcement = read_event(event, key, headers, value)
            if self._is_about_another_row(announcement):
                return
            self._check_addresses(announcement)
        except MalformedError as error:
            self._faulty[Fault.MALFORMED].add((message_id, f"{event} ({error})"))
        else:
            self._account((message_id, event), cloud_event.ce_id)
        self.heard_at = time.monotonic()
        self._heard += 1

    def note_campaign(self, key: bytes | None, value: bytes) -> None:
        """Take a record of the topic of campaigns."""
        if key != self._campaign_bytes:
            return
        self.heard_at = time.monotonic()
        try:
            record = read_campaign(key, value)
        except MalformedError as error:
            self._faulty[Fault.MALFORMED].add((str(self._plan.campaign_id), f"campaign ({error})"))
            return
        if self._campaign_heard is not None and record.revision < self._campaign_heard.revision:
            self._revisions_down += 1
        self._campaign_heard = record

    def judge(self, wanted: Events, campaign_row: CampaignRecord | None) -> EventsVerdict:
        return EventsVerdict(
            wanted=wanted,
            meant=len(self._meant),
            heard=self._heard,
            faults={fault: _found(events) for fault, events in self._faulty.items()},
            campaign_heard=self._campaign_heard,
            campaign_row=campaign_row,
            revisions_down=self._revisions_down,
        )

    def _is_about_another_row(self, announcement: Announcement) -> bool:
        """Tell the row that a campaign of the same seed and start has of the same message."""
        ours = announcement.campaign_id == self._plan.campaign_id
        return not ours and announcement.id != self._plan.row_id(announcement.message_id)

    def _check_addresses(self, announcement: Announcement) -> None:
        if announcement.campaign_id != self._plan.campaign_id:
            raise MalformedError("campaign_id")
        recipient = self._recipients.get(announcement.message_id)
        if recipient is None:
            return
        if announcement.id != self._plan.row_id(recipient.wamid):
            raise MalformedError("id")
        if announcement.recipient != recipient.number:
            raise MalformedError("recipient")

    def _account(self, event: Event, ce_id: UUID) -> None:
        self._faulty[Fault.MISSING].discard(event)
        if event not in self._meant:
            self._faulty[Fault.UNEXPECTED].add(event)
        if event in self._ids:
            self._faulty[Fault.DOUBLED].add(event)
        if self._ids.setdefault(event, ce_id) != ce_id:
            self._faulty[Fault.CHANGED_ID].add(event)
        if self._events.setdefault(ce_id, event) != event:
            self._faulty[Fault.SHARED_ID].add(event)


def _found(events: set[Event]) -> Found:
    some = islice(events, EXAMPLES)
    return Found(len(events), tuple(f"{what} of {mask(message_id)}" for message_id, what in some))
