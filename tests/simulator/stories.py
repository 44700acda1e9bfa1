"""What can happen to one message, told as the statuses Meta sends about it."""

import random
from dataclasses import dataclass
from enum import Enum, auto

from tests.simulator.meta_errors import draw_error
from tests.simulator.recipients import Recipient
from tests.simulator.statuses import Status


class Moment(Enum):
    SENDING = auto()
    DELIVERY = auto()
    READING = auto()


@dataclass(frozen=True, slots=True)
class Beat:
    """One status of a story: when, with how many errors, and whether it says the price."""

    status: str
    moment: Moment
    seconds_later: int = 0
    errors: int = 0
    priced: bool = False


SENT = Beat("sent", Moment.SENDING, priced=True)
DELIVERED = Beat("delivered", Moment.DELIVERY, priced=True)
READ = Beat("read", Moment.READING)
FAILED = Beat("failed", Moment.DELIVERY, errors=1)


class Story(Enum):
    """Each with the share of messages it happens to, in percent, and its statuses in the order they became true.

    A lively campaign, in which the rare stories are common enough to matter.
    """

    READ_IN_ORDER = 44, (SENT, DELIVERED, READ)
    DELIVERED_IN_ORDER = 25, (SENT, DELIVERED)
    SENT_ONLY = 4, (SENT,)
    READ_WITHOUT_DELIVERED = 6, (SENT, Beat("read", Moment.READING, priced=True))
    FAILED_WITHOUT_SENT = 4, (FAILED,)
    FAILED_AFTER_SENT = 4, (SENT, FAILED)
    # Two devices, of which one gets the message.
    DELIVERED_THEN_FAILED = 1, (SENT, DELIVERED, Beat("failed", Moment.DELIVERY, 1, errors=1))
    FAILED_THEN_DELIVERED = 1, (SENT, FAILED, Beat("delivered", Moment.DELIVERY, 2, priced=True))
    FAILED_IN_THE_SECOND_OF_DELIVERY = 1, (SENT, FAILED, DELIVERED)
    # Two devices in one second: the lesser code counts. One without any error counts least, a later one not at all.
    FAILED_SEVERAL_TIMES = 1, (
        SENT, FAILED, FAILED, Beat("failed", Moment.DELIVERY), Beat("failed", Moment.DELIVERY, 3, errors=1)
    )  # fmt: skip
    FAILED_WITH_TWO_ERRORS = 1, (SENT, Beat("failed", Moment.DELIVERY, errors=2))
    DELIVERED_ON_SEVERAL_DEVICES = 3, (
        SENT, DELIVERED, Beat("delivered", Moment.DELIVERY, 1), Beat("delivered", Moment.DELIVERY, 40)
    )  # fmt: skip
    ALL_IN_ONE_SECOND = 3, (SENT, Beat("delivered", Moment.SENDING, priced=True), Beat("read", Moment.SENDING))
    PLAYED = 2, (SENT, DELIVERED, READ, Beat("played", Moment.READING, 10))

    def __init__(self, percent: int, beats: tuple[Beat, ...]) -> None:
        self.percent = percent
        self.beats = beats


DELIVERY_SECONDS = (1, 5)
READING_SECONDS = (5, 600)


def draw_stories(count: int, chance: random.Random) -> list[Story]:
    """Draw every story once where there are recipients enough, then by frequency, in no particular order."""
    stories = list(Story)[:count]
    stories += chance.choices(list(Story), weights=[story.percent for story in Story], k=count - len(stories))
    chance.shuffle(stories)
    return stories


def tell(story: Story, recipient: Recipient, second: int, chance: random.Random) -> list[Status]:
    """Give the statuses of one message that was accepted at `second`."""
    delivery = second + chance.randint(*DELIVERY_SECONDS)
    seconds = {
        Moment.SENDING: second,
        Moment.DELIVERY: delivery,
        Moment.READING: delivery + chance.randint(*READING_SECONDS),
    }
    return [
        Status(
            recipient,
            beat.status,
            seconds[beat.moment] + beat.seconds_later,
            tuple(draw_error(chance) for _ in range(beat.errors)),
            beat.priced,
        )
        for beat in story.beats
    ]
