"""Commands that end by themselves, and what is told when one fails."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.interruption import wait_until

LOG_TAIL_LINES = 15


class StartError(RuntimeError):
    """A part of the stack could not be started; the text says which, and why."""


def host_environment(locale: str = "C") -> dict[str, str]:
    """Give what a server needs of our environment: the rest of it may be about other servers."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ} | {"LC_ALL": locale}


def run_to_end(
    name: str,
    command: Sequence[str | Path],
    log_file: Path,
    deadline_seconds: float,
    environment: Mapping[str, str],
    *,
    directory: Path | None = None,
) -> None:
    """Run a command; whatever happens, none of its processes is left. Raises StartError, Interrupted.

    The name stands for the command where an error is told.
    """
    with log_file.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - the commands are this package's own
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
    try:
        in_time = wait_until(lambda: child.poll() is not None, deadline_seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if not in_time:
        raise StartError(f"{name} was not done after {deadline_seconds:.0f} s\n{log_tail(log_file)}")
    if child.returncode != 0:
        raise StartError(f"{name} failed with exit status {child.returncode}\n{log_tail(log_file)}")


def log_tail(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
    return "\n".join([f"The end of {log_file}:", *(f"  {line}" for line in lines[-LOG_TAIL_LINES:])])
