"""`python -m tests.fuzz.led_by_coverage`: looks for a body that the splitter stumbles over, led by what its code does.

`make fuzz` runs it after the random inputs; what it finds is written to the working directory, and ends it.
"""

import sys
from tempfile import TemporaryDirectory

import atheris

from tests.webhooks import DIRECTORY

with atheris.instrument_imports():
    from shared import envelope, json_text, status_webhooks

RECEIVED_AT = "2026-10-01T12:00:00.000000+00:00"
SECONDS = 120
LARGEST_BYTES = 4096


def one(body: bytes) -> None:
    """Split a body both ways: neither raises, and they agree."""
    general = envelope.split_in_general(body, RECEIVED_AT)
    quick = status_webhooks.statuses_alone(body, RECEIVED_AT)
    if quick:
        assert [(record.topic, record.key, json_text.loads(record.value)) for record in quick] == [
            (record.topic, record.key, json_text.loads(record.value)) for record in general
        ]


if __name__ == "__main__":
    with TemporaryDirectory() as found:
        options = [f"-max_total_time={SECONDS}", f"-max_len={LARGEST_BYTES}", "-verbosity=0", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, found, str(DIRECTORY)], one)
        atheris.Fuzz()
