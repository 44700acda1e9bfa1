import base64
import random

from tests.simulator.recipients import make_recipients, make_wamid
from tests.unit.simulator.material import BUSINESS


def test_a_wamid_holds_the_number_and_a_hex_key_in_metas_layout() -> None:
    wamid = make_wamid("15550173391", random.Random(1))

    prefix, _, text = wamid.partition(".")
    inner = base64.b64decode(text)
    assert prefix == "wamid"
    assert inner[:14] == b"\x1c\x18\x0b15550173391"
    assert inner[14:20] == b"\x15\x02\x00\x11\x18\x12"
    assert int(inner[20:38], 16) > 0
    assert inner[38:] == b"\x00"


def test_recipients_are_fictional_and_all_different() -> None:
    recipients = make_recipients(500, BUSINESS, random.Random(1))

    assert len({recipient.number for recipient in recipients}) == 500
    assert len({recipient.wamid for recipient in recipients}) == 500
    assert all(recipient.number.startswith("1555") and len(recipient.number) == 11 for recipient in recipients)
