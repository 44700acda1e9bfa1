"""Reads what the services wrote during a run of the tests: nothing of a person, and no secret, may be in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from tests.webhooks import webhooks

# What other programs write: Kafka, with its records in files of digits, PostgreSQL, the proxy, the simulator.
OTHERS: Final = re.compile(r"\d+|(broker|error|kafka|postgres|simulator|webhooks).*")
# A person's, and a business's, in Meta's examples.
PERSONAL: Final = frozenset(
    {
        "body", "display_phone_number", "from", "invite_link", "name", "participant_recipient_id",
        "phone_number", "recipient_id", "recipient_participant_id", "recipient_participant_user_id",
        "recipient_user_id", "to", "user_id", "username", "verified_name", "wa_id",
    }
)  # fmt: skip
# Below that a text may be part of any word.
SHORTEST: Final = 6
# The simulator's recipients and those of our own statuses.
NUMBERS: Final = rb"(?<!\d)(?:1555|49155)\d{7,8}(?!\d)"
# Tests with secrets of their own name them so.
SECRETS: Final = rb"for-tests|[a-z-]*secret-of-[a-z-]+|[a-z-]*token-of-[a-z-]+"
OF_THE_STACK: Final = re.compile(rb"^(?:META_APP_SECRETS|META_VERIFY_TOKENS)=(.+)$", re.MULTILINE)


def leaks(directory: Path) -> list[str]:
    """Give each line of the services, in logs and metrics below a directory, that says too much."""
    said = re.compile(b"|".join([rb"wamid", NUMBERS, SECRETS, *map(re.escape, _texts(directory))]))
    return [
        f"{path}: {line.decode('utf-8', 'replace')[:500]}"
        for path in sorted([*directory.rglob("*.log"), *directory.rglob("*.metrics")])
        if not OTHERS.fullmatch(path.stem)
        for line in path.read_bytes().splitlines()
        if said.search(line)
    ]


def _texts(directory: Path) -> Iterator[bytes]:
    """Give what the examples say of persons, and the secrets of the stacks that were run."""
    for body in webhooks().values():
        for text in set(_personal(orjson.loads(body))):
            if len(text) >= SHORTEST:
                yield text.encode()
    for environment in directory.rglob("env"):
        for values in OF_THE_STACK.findall(environment.read_bytes()):
            yield from values.split(b",")


def _personal(document: Any, key: str = "") -> Iterator[str]:
    if isinstance(document, dict):
        for inner, value in document.items():
            yield from _personal(value, inner)
    elif isinstance(document, list):
        for value in document:
            yield from _personal(value, key)
    elif isinstance(document, str) and key in PERSONAL:
        yield document
