"""A command in the foreground, with the terminal, which ends with us."""

import contextlib
import ctypes
import math
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

import psutil

from deploy.local.commands import StartError
from deploy.local.interruption import Interrupted, obey_signals, signals_received, wait_for_end, wait_until

# After Ctrl-C, which the terminal sends to the command too: a test run tears its servers down in that time.
INTERRUPT_GRACE_SECONDS = 20.0
# After SIGTERM, and again after SIGKILL.
END_DEADLINE_SECONDS = 10.0

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def run_in_foreground(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command and give its exit status as a shell would. Raises Interrupted, and then nothing of it runs."""
    others = set(psutil.Process().children())
    _adopt_orphans()
    try:
        child = subprocess.Popen(command, env=dict(environment))  # noqa: S603 - the caller's own command
    except OSError as error:
        raise StartError(f"{command[0]} can't be run: {error.strerror}") from None
    try:
        wait_until(lambda: child.poll() is not None, math.inf)
        # It may have ended by the very signal that we have received too.
        obey_signals()
    except Interrupted as interrupted:
        if interrupted.signal_number == signal.SIGINT:
            # A second Ctrl-C shortens the grace.
            wait_for_end(lambda: child.poll() is not None or signals_received() > 1, INTERRUPT_GRACE_SECONDS)
        _end_children_but(others)
        child.wait()
        raise
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _adopt_orphans() -> None:
    """Become the parent of what the command's processes leave behind, or it could not be found any more."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _end_children_but(others: set[psutil.Process]) -> None:
    for request in (signal.SIGTERM, signal.SIGKILL):
        children = set(psutil.Process().children()) - others
        family = children.union(*(_descendants(child) for child in children))
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(request)
        psutil.wait_procs(family, END_DEADLINE_SECONDS)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
