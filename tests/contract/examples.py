"""The document's examples as the records they stand for."""

import json
from collections.abc import Iterator
from typing import Any

from aiokafka import ConsumerRecord

from shared.partition import partition_of
from shared.topics import PARTITIONS
from tests.contract.contract import PREFIX
from tests.contract.document import Node, channels, message_of


def examples() -> Iterator[tuple[str, Node]]:
    """Give each example with its topic's name without the prefix."""
    for name, channel in channels().items():
        for example in message_of(channel).get("examples", ()):
            yield name, example


def example_of(suffix: str) -> Node:
    """Give the first example of a topic."""
    return next(example for name, example in examples() if name == suffix)


def record_of(
    suffix: str, payload: Any, headers: dict[str, str] | None = None, key: str | None = None
) -> ConsumerRecord:
    """Give the record of a value (a text as it is, everything else as JSON) on the partition where its key belongs."""
    value = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    written_key = None if key is None else key.encode()
    return ConsumerRecord(
        topic=f"{PREFIX}{suffix}",
        partition=0 if written_key is None else partition_of(written_key, PARTITIONS),
        offset=0,
        timestamp=0,
        timestamp_type=0,
        key=written_key,
        value=value,
        checksum=None,
        serialized_key_size=-1 if written_key is None else len(written_key),
        serialized_value_size=len(value),
        headers=[(name, text.encode()) for name, text in (headers or {}).items()],
    )
