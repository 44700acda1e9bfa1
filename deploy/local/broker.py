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

# Metadata, version 1: an empty list of topics asks for none and creates none.
_METADATA = struct.pack(">hhihi", 3, 1, 0, -1, 0)
# FindCoordinator, version 0, of a group that nobody joins.
_FIND_COORDINATOR = struct.pack(">hhihh5s", 10, 0, 0, -1, 5, b"local")


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

    def runs(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def broker_daemon(directory: Path, log_file: Path) -> Daemon:
    """Give the process of a broker of either kind."""
    return Daemon(directory.with_name(f"{directory.name}.pid"), log_file, ENDING)


def serves(port: int) -> bool:
    """Tell whether the broker there has joined its cluster and coordinates consumer groups.

    An open port is not enough, it opens much earlier; and Kafka creates what it needs for groups when first asked.
    """
    try:
        with socket.create_connection((LOOPBACK, port), ANSWER_DEADLINE_SECONDS) as connection:
            brokers = struct.unpack_from(">i", _ask(connection, _METADATA))[0]
            error = struct.unpack_from(">h", _ask(connection, _FIND_COORDINATOR))[0]
            return bool(brokers > 0 and error == 0)
    except (OSError, struct.error):
        return False


def _ask(connection: socket.socket, request: bytes) -> bytes:
    """Send one request and give the body of its answer, without size and correlation id."""
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as answer:
        size, _correlation = struct.unpack(">ii", answer.read(8))
        return answer.read(size - 4)
