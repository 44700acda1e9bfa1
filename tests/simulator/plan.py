"""A campaign as Meta will tell it: recipients, each one's story, and statuses that are no evidence at all."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from tests.simulator.meta_errors import UNDELIVERABLE
from tests.simulator.recipients import BusinessNumber, Recipient, make_recipients
from tests.simulator.statuses import UNKNOWN_STATUS, Status
from tests.simulator.stories import Story, draw_stories, tell

# Meta's fastest numbers send 1,000 messages a second.
MESSAGES_A_SECOND = 1000
# Statuses that must change nothing, and statuses of messages that somebody else sent: each per message of the campaign.
IRRELEVANT_SHARE = 0.02
FOREIGN_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    campaign_id: UUID
    recipients: tuple[Recipient, ...]
    stories: tuple[Story, ...]
    # In the order of their times, the foreign and irrelevant ones among them.
    statuses: tuple[Status, ...]

    @property
    def wamids(self) -> frozenset[str]:
        return frozenset(recipient.wamid for recipient in self.recipients)

    def row_id(self, wamid: str) -> UUID:
        return _row_id(self.campaign_id, wamid)


def make_plan(
    campaign_id: UUID, count: int, business: BusinessNumber, start: int, seed: int, *, callback_share: float = 0
) -> Plan:
    """Make up the whole campaign from these; `start` is the Unix time of its first message.

    Of `callback_share` of the messages the platform never hears the wamid; their statuses say their rows' ids instead.
    """
    chance = random.Random(seed)
    # Other people at another start: a seed that is played again meets no wamid of its first time in the tables.
    recipients = make_recipients(count, business, random.Random(f"{seed} {start}"))
    # Drawn apart, so that the share changes nothing else.
    lost = random.Random(f"{seed} lost responses")
    recipients = [
        replace(recipient, callback_data=str(_row_id(campaign_id, recipient.wamid)))
        if lost.random() < callback_share
        else recipient
        for recipient in recipients
    ]
    stories = draw_stories(count, chance)
    statuses = [
        status
        for index, (recipient, story) in enumerate(zip(recipients, stories, strict=True))
        for status in tell(story, recipient, start + index // MESSAGES_A_SECOND, chance)
    ]
    statuses += _irrelevant(recipients, start, chance)
    statuses += _foreign(count, business, start, chance)
    statuses.sort(key=lambda status: status.second)
    return Plan(campaign_id, tuple(recipients), tuple(stories), tuple(statuses))


def _row_id(campaign_id: UUID, wamid: str) -> UUID:
    return uuid5(campaign_id, wamid)


def _irrelevant(recipients: list[Recipient], start: int, chance: random.Random) -> Iterator[Status]:
    kinds = (_deleted, _warning, _unknown, _payment, _payment_under_a_wamid)
    for index in range(_few(IRRELEVANT_SHARE, len(recipients), at_least=len(kinds))):
        yield kinds[index % len(kinds)](chance.choice(recipients), start + chance.randint(0, 60))


def _deleted(recipient: Recipient, second: int) -> Status:
    return Status(recipient, "deleted", second)


def _warning(recipient: Recipient, second: int) -> Status:
    return Status(recipient, "warning", second)


def _unknown(recipient: Recipient, second: int) -> Status:
    return Status(recipient, UNKNOWN_STATUS, second)


def _payment(recipient: Recipient, second: int) -> Status:
    return Status(recipient, "captured", second, payment_id=f"gBGG{recipient.user_id[-20:]}")


def _payment_under_a_wamid(recipient: Recipient, second: int) -> Status:
    """Sharper than Meta: without a look at its type it would fail the message."""
    return Status(recipient, "failed", second, (UNDELIVERABLE,), payment_id=recipient.wamid)


def _foreign(count: int, business: BusinessNumber, start: int, chance: random.Random) -> Iterator[Status]:
    """Messages of other systems, on the same number and on another number of the same account."""
    other_number = replace(business, phone_number_id="271948360554999", display_phone_number="15550142299")
    few = _few(FOREIGN_SHARE, count, at_least=2)
    for index, recipient in enumerate(make_recipients(few, business, chance)):
        number = (business, other_number)[index % 2]
        yield Status(replace(recipient, business=number), "delivered", start + chance.randint(0, 60), priced=True)


def _few(share: float, count: int, at_least: int) -> int:
    return max(at_least, round(share * count))
