"""What is published: a record before it has a partition."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.topics import Topic

Header = tuple[str, bytes]


class Record(NamedTuple):
    """A topic, the key that chooses the partition (None: any), the value, headers."""

    topic: Topic
    key: bytes | None
    value: bytes
    headers: Sequence[Header] = ()
