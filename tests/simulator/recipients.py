"""Fictional people and the message ids Meta gives to what is sent to them."""

import base64
import random
from dataclasses import dataclass

# 555 is no area code, so none of these numbers can be somebody's.
FICTIONAL_PREFIX = "1555"
NAMES = (
    "Imani Okafor", "Renée 山田 🌿", "Priya Raman", "João d'Ávila", "Zoë Müller",
    "علي حسن", "O'Neil & Sons <shop>", "Nguyễn Thị Hoa", "Łukasz Żak", "A/B 100% @home",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BusinessNumber:
    """The WhatsApp number a campaign is sent from, and the account (WABA) it belongs to."""

    waba_id: str
    phone_number_id: str
    display_phone_number: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """One message of a campaign: who gets it, and the wamid Meta gave to it."""

    wamid: str
    number: str
    user_id: str
    name: str
    username: str | None
    business: BusinessNumber
    # What the platform gave Meta to repeat in every status of the message.
    callback_data: str | None = None


def make_recipients(count: int, business: BusinessNumber, chance: random.Random) -> list[Recipient]:
    numbers = chance.sample(range(10**7), count)
    return [_make_recipient(f"{FICTIONAL_PREFIX}{number:07}", business, chance) for number in numbers]


def _make_recipient(number: str, business: BusinessNumber, chance: random.Random) -> Recipient:
    name = chance.choice(NAMES)
    return Recipient(
        wamid=make_wamid(number, chance),
        number=number,
        user_id=f"US.{chance.randrange(10**19, 10**20)}",
        name=name,
        username=f"user.{number[-6:]}" if chance.random() < 0.3 else None,
        business=business,
    )


def make_wamid(number: str, chance: random.Random) -> str:
    """Meta's layout as observed: each text behind its length, the recipient's number first and a hex key last."""
    key = f"{chance.getrandbits(72):018X}"
    inner = b"\x1c\x18" + _with_length(number) + b"\x15\x02\x00\x11\x18" + _with_length(key) + b"\x00"
    return "wamid." + base64.b64encode(inner).decode()


def _with_length(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def mask(message_id: str | None) -> str:
    """Leave the end: a wamid's beginning holds the recipient's number, and its end tells two apart."""
    return f"…{message_id[-10:]}" if message_id else "none"
