"""TCP ports of 127.0.0.1 that are chosen once and kept."""

import random
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deploy.local.commands import StartError
from deploy.local.interruption import wait_until

LOOPBACK = "127.0.0.1"
# Linux gives 32768 and up to outgoing connections, macOS 49152 and up.
CHOSEN_PORTS = range(20_000, 32_000)
# A killed Java process needs a tenth of a second.
RELEASE_DEADLINE_SECONDS = 3.0


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port whose last connections still linger is free for a server, which sets this option too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


class KeptPort:
    """A port written down in a file, so that a part that is started again is found where it was.

    The wish is for the first time only, and only if that port is free.
    """

    def __init__(self, file: Path, wish: int | None = None) -> None:
        self._file = file
        self._wish = wish

    @property
    def number(self) -> int:
        if not self._file.exists():
            self._keep(self._wish if self._wish is not None and is_free(self._wish) else _any_free_port())
        return int(self._file.read_text())

    def choose_another(self) -> None:
        self._keep(_any_free_port())

    def _keep(self, number: int) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(f"{number}\n")


def start_on_free_ports(ports: Sequence[KeptPort], start: Callable[[], None]) -> None:
    """Start what listens on these ports, elsewhere if strangers have them.

    Two checkouts that start at the same moment wish for the same ports: the slower one tries once more.
    """
    _leave_taken(ports)
    try:
        start()
    except StartError:
        if not _leave_taken(ports):
            raise
        start()


def _leave_taken(ports: Sequence[KeptPort]) -> bool:
    # A part that was just killed may still be letting go of its own; whoever asks for it there must find it again.
    taken = [port for port in ports if not wait_until(partial(is_free, port.number), RELEASE_DEADLINE_SECONDS)]
    for port in taken:
        port.choose_another()
    return bool(taken)


def _any_free_port() -> int:
    """Choose below the ports that the system gives to outgoing connections.

    A client that asks again and again for a server of that range that is just restarting ends up connected to itself
    (TCP's simultaneous open), and then holds the very port that the server wants back.
    """
    candidates = random.sample(CHOSEN_PORTS, len(CHOSEN_PORTS))
    return next(port for port in candidates if is_free(port))
