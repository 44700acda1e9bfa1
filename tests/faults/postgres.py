"""A PostgreSQL server that tests kill, hang, fill and make refuse writes."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from deploy.local.interruption import wait_until
from deploy.local.postgres import PostgresServer
from tests.faults import processes
from tests.faults.small_disk import SmallDisk

# One attempt, on a busy machine.
CONNECT_DEADLINE_SECONDS = 10
# It takes milliseconds.
RELOAD_DEADLINE_SECONDS = 10.0
# 40 MB, on a slow disk.
MOVE_DEADLINE_SECONDS = 60


class FaultyPostgres(PostgresServer):
    def kill_9(self) -> None:
        """Kill it with all of its backends, as the machine's crash would; `start` recovers it where it was."""
        processes.kill(self._running_pid())

    def pause(self) -> None:
        """Let it hang with all of its backends: the kernel accepts connections for it, and nobody answers."""
        processes.pause(self._running_pid())

    def resume(self) -> None:
        processes.resume(self._running_pid())

    def stop(self) -> None:
        self._resume_if_paused()
        super().stop()

    def read_only(self, *, on: bool) -> None:
        """Refuse writes, or take them again: from every session's next transaction, unless that says READ WRITE."""
        with self._connect() as connection:
            setting = sql.SQL("ALTER SYSTEM SET default_transaction_read_only TO {}").format(sql.Literal(on))
            connection.execute(setting)
            connection.execute("SELECT pg_reload_conf()")
        # The server tells all open sessions before it takes a new one, and each hears it before its next command.
        assert wait_until(lambda: self._is_read_only() == on, RELOAD_DEADLINE_SECONDS)

    def move_data(self, directory: Path) -> None:
        """Go on with the data in another directory, as an administrator moves it: a link leads there."""
        self.stop()
        # Not shutil: the files may be another account's.
        subprocess.run(["cp", "-a", self._data_directory, directory], check=True, timeout=MOVE_DEADLINE_SECONDS)
        shutil.rmtree(self._data_directory)
        self._data_directory.symlink_to(directory / self._data_directory.name)
        self.start()

    def repair(self) -> None:
        """Undo whatever a test has done to the server."""
        self._resume_if_paused()
        self.start()
        if self._is_read_only():
            self.read_only(on=False)

    def _is_read_only(self) -> bool:
        with self._connect() as connection:
            return connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)

    def _connect(self) -> psycopg.Connection[TupleRow]:
        return psycopg.connect(self.url(), autocommit=True, connect_timeout=CONNECT_DEADLINE_SECONDS)

    def _resume_if_paused(self) -> None:
        if processes.is_paused(self.pid):
            self.resume()

    def _running_pid(self) -> int:
        pid = self.pid
        assert pid is not None, "the server does not run"
        return pid


@dataclass(frozen=True, slots=True)
class FillablePostgres:
    """A server and the disk its data is on, which nothing else fills."""

    server: FaultyPostgres
    disk: SmallDisk

    def repair(self) -> None:
        self.disk.free()
        self.server.repair()
