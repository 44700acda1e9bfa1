"""What every Kafka broker of the local stack offers."""

import signal
import socket
import struct
from abc import ABC, abstractmethod
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from deploy.local.ports import LOOPBACK, KeptPort, start_on_free_ports
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


class Broker(ABC):
    """One broker and its directory, which outlive this object; port and pid are files beside the directory."""

    kind: ClassVar[BrokerKind]
    start_deadline_seconds: ClassVar[float]

    def __init__(self, directory: Path, log_file: Path, port: int | None = None) -> None:
        self._directory = directory
        self._port = KeptPort(directory.with_name(f"{directory.name}.port"), port)
        self._daemon = broker_daemon(directory, log_file)

    @property
    def pid(self) -> int | None:
        return self._daemon.pid

    @property
    def log_file(self) -> Path:
        return self._daemon.log_file

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self._port.number}"

    def runs(self) -> bool:
        return self._daemon.serves(self._answers, self.start_deadline_seconds)

    def start(self) -> None:
        if self.runs():
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        start_on_free_ports(self._ports(), self._start)

    def stop(self) -> None:
        self._daemon.stop()

    def _ports(self) -> list[KeptPort]:
        return [self._port]

    def _start(self) -> None:
        self._launch()
        self._daemon.wait_until(self._answers, self.start_deadline_seconds)

    @abstractmethod
    def _launch(self) -> None:
        """Start the process on its ports, without waiting for it."""

    def _answers(self) -> bool:
        port = self._port.number
        return self._daemon.listens_on(port) and serves(port)


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
