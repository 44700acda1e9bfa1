"""A process and everything it has started: hung, woken or killed as one."""

import contextlib
import signal
from collections.abc import Iterable

import psutil

from deploy.local.interruption import wait_for_end
from deploy.local.recorded_process import runs

# A process that waits for the disk obeys afterwards.
SIGNAL_DEADLINE_SECONDS = 10.0


def pause(pid: int) -> None:
    """Let them hang: connections stay, the kernel accepts new ones for them, and nobody answers."""
    # First the one that could start others.
    parent = psutil.Process(pid)
    _send(signal.SIGSTOP, [parent])
    _await_stopped([parent])
    children = parent.children(recursive=True)
    _send(signal.SIGSTOP, children)
    _await_stopped(children)


def resume(pid: int) -> None:
    parent = psutil.Process(pid)
    _send(signal.SIGCONT, [*parent.children(recursive=True), parent])


def kill(pid: int) -> None:
    """Kill them as a crash of the machine does: none of them can act on the end of another."""
    pause(pid)
    parent = psutil.Process(pid)
    family = [*parent.children(recursive=True), parent]
    _send(signal.SIGKILL, family)
    ended = wait_for_end(lambda: not any(map(runs, family)), SIGNAL_DEADLINE_SECONDS)
    assert ended, f"not ended: {family}"


def is_paused(pid: int | None) -> bool:
    try:
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def _send(number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _await_stopped(processes: list[psutil.Process]) -> None:
    stopped = wait_for_end(lambda: not any(map(_works, processes)), SIGNAL_DEADLINE_SECONDS)
    assert stopped, f"not stopped: {processes}"


def _works(process: psutil.Process) -> bool:
    try:
        return runs(process) and process.status() != psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
