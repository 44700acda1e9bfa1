"""Processes in sessions of their own, found again by pid file and never mistaken for another's."""

import contextlib
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.commands import StartError, log_tail
from deploy.local.interruption import wait_for_end, wait_until
from deploy.local.recorded_process import RecordedProcess, runs

# What a process gets to obey a signal it can't refuse, or its children to follow it.
KILL_DEADLINE_SECONDS = 5.0


# Those of our own children that nobody has waited for yet, whichever object started them.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process is asked to end, how long that may take, and what follows then."""

    request: signal.Signals
    deadline_seconds: float
    insistence: signal.Signals


class Daemon:
    """One process that outlives its starter.

    Its pid stands in the pid file, and the time the process began in a second file beside it: a pid the system has
    given to another process since is recognised and left alone.
    """

    def __init__(self, pid_file: Path, log_file: Path, ending: Ending) -> None:
        self.log_file = log_file
        self._pid_file = pid_file
        self._began_file = pid_file.with_suffix(".began")
        self._ending = ending

    @property
    def name(self) -> str:
        return self._pid_file.stem

    @property
    def pid(self) -> int | None:
        process = self._process()
        return None if process is None else process.pid

    @property
    def ended_pid(self) -> int | None:
        """What the pid was of a process that ended without being stopped."""
        recorded = self._recorded()
        return recorded.pid if recorded is not None and self.pid is None else None

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str], directory: Path) -> None:
        self._end_survivors()
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - the commands are this package's own
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=directory,
                start_new_session=True,
            )
        _children[child.pid] = child
        self._began_file.write_text(f"{psutil.Process(child.pid).create_time()} {directory.resolve()}\n")
        self._pid_file.write_text(f"{child.pid}\n")

    def wait_until(self, ready: Callable[[], bool], deadline_seconds: float) -> None:
        """Wait for a process that was just started. Raises StartError, and then it does not run."""
        in_time = wait_until(lambda: self.pid is None or ready(), deadline_seconds)
        if self.pid is None:
            raise StartError(f"{self.name} ended while it was starting\n{log_tail(self.log_file)}")
        if not in_time:
            self.stop()
            raise StartError(f"{self.name} was not ready after {deadline_seconds:.0f} s\n{log_tail(self.log_file)}")

    def serves(self, ready: Callable[[], bool], deadline_seconds: float) -> bool:
        """Tell whether it runs and answers: one that was just killed can look alive for a moment."""
        if not wait_until(lambda: self.pid is None or ready(), deadline_seconds):
            raise StartError(f"{self.name} runs as process {self.pid} but does not answer\n{log_tail(self.log_file)}")
        return self.pid is not None

    def stop(self) -> None:
        """Ask, wait, insist; what the process itself had started goes with it. Raises StartError if it stays."""
        process = self._process()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(self._ending.request)
                if not wait_for_end(lambda: self.pid is None, self._ending.deadline_seconds):
                    process.send_signal(self._ending.insistence)
                    wait_for_end(lambda: self.pid is None, KILL_DEADLINE_SECONDS)
        if self.pid is not None:
            raise StartError(f"{self.name} can't be stopped: process {self.pid}\n{log_tail(self.log_file)}")
        self._end_survivors()
        self._pid_file.unlink(missing_ok=True)
        self._began_file.unlink(missing_ok=True)

    def listens_on(self, port: int) -> bool:
        """Tell whether it is this process that listens there, and not a stranger that took the port before."""
        process = self._process()
        with contextlib.suppress(psutil.NoSuchProcess):
            return process is not None and any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
                for member in (process, *process.children(recursive=True))
                for connection in member.net_connections("tcp")
            )
        return False

    def _process(self) -> psutil.Process | None:
        recorded = self._recorded()
        if recorded is None:
            return None
        _reap(recorded.pid)
        process = recorded.find()
        return process if process is not None and runs(process) else None

    def _recorded(self) -> RecordedProcess | None:
        try:
            began, directory = self._began_file.read_text().strip().split(" ", 1)
            return RecordedProcess(int(self._pid_file.read_text()), float(began), Path(directory))
        except (FileNotFoundError, ValueError):
            return None

    def _end_survivors(self) -> None:
        """End what a killed process left in its session."""
        recorded = self._recorded()
        if recorded is None or self.pid is not None:
            return
        survivors = recorded.survivors()
        for request in (signal.SIGTERM, signal.SIGKILL):
            for process in survivors:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(request)
            if wait_for_end(lambda: not any(map(runs, survivors)), KILL_DEADLINE_SECONDS):
                return


def _reap(pid: int) -> None:
    """Take the exit status of a child that has ended, or it would stay a zombie."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
