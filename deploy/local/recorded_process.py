"""A process as it was noted when it was started, found again among all others."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

# A clock that is set while we run shifts what the kernel says a process's start was; no pid comes round this soon.
START_TIME_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RecordedProcess:
    pid: int
    began: float
    directory: Path

    def find(self) -> psutil.Process | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.began) < START_TIME_TOLERANCE_SECONDS:
                return process
        return None

    def survivors(self) -> list[psutil.Process]:
        """Find what is left of its session, which bears its pid; nobody else gets that while there is something.

        Since strangers may have it later, a survivor must also work in the directory the process was started in, or
        below it.
        """
        given_to_another = psutil.pid_exists(self.pid) and self.find() is None
        if given_to_another or self.began < psutil.boot_time():
            return []
        return [process for process in psutil.process_iter() if self._started(process)]

    def _started(self, process: psutil.Process) -> bool:
        try:
            return os.getsid(process.pid) == self.pid and Path(process.cwd()).is_relative_to(self.directory)
        except (OSError, psutil.Error):
            return False


def runs(process: psutil.Process) -> bool:
    """Tell a process from one that has ended and whose parent never asked (in a container often nobody does)."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
