"""What every Kafka broker of the local stack offers."""

import signal
import socket
import struct
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from deploy.local.ports import LOOPBACK
from deploy.local.processes import Daemon, Ending

# One attempt to ask a broker for its metadata.
ANSWER_DEADLINE_SECONDS = 2.0
# Apache's controlled shutdown takes two seconds, Tansu's five while clients are connected.
ENDING = Ending(signal.SIGTERM, 20.0, signal.SIGKILL)

# Metadata, version 1, correlation id 0, no client id, no topics: an empty list asks for none and creates none.
_METADATA_REQUEST = struct.pack(">hhihi", 3, 1, 0, -1, 0)


class BrokerKind(StrEnum):
    APACHE = "apache"
    TANSU = "tansu"


class Broker(Protocol):
    kind: BrokerKind

    @property
    def pid(self) -> int | None: ...
    @property
    def log_file(self) -> Path: ...
    @property
    def bootstrap_servers(self) -> str: ...

    def start(self) -> None: ...
    def stop(self) -> None: ...


def broker_daemon(directory: Path, log_file: Path) -> Daemon:
    """Give the process of a broker of either kind."""
    return Daemon(directory.with_name(f"{directory.name}.pid"), log_file, ENDING)


def names_a_broker(port: int) -> bool:
    """Tell whether the broker there has joined its cluster: an open port is not enough, it opens much earlier."""
    try:
        with socket.create_connection((LOOPBACK, port), ANSWER_DEADLINE_SECONDS) as connection:
            connection.settimeout(ANSWER_DEADLINE_SECONDS)
            connection.sendall(struct.pack(">i", len(_METADATA_REQUEST)) + _METADATA_REQUEST)
            with connection.makefile("rb") as answer:
                _size, _correlation, brokers = struct.unpack(">iii", answer.read(12))
                return bool(brokers > 0)
    except (OSError, struct.error):
        return False
