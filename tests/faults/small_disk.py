"""A file system of its own, so small that a test can fill it."""

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

# It lives in memory, so nothing is slow.
MOUNT_DEADLINE_SECONDS = 10
MEBIBYTE = 1024 * 1024
PAGE_BYTES = 4096


class MountError(Exception):
    """No file system can be mounted here; the text says why."""


class SmallDisk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave not one page free."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (MEBIBYTE, PAGE_BYTES):
                _write_until_full(ballast.fileno(), bytes(size))

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def mounted(path: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """Mount a file system on a directory for as long as this lasts. Raises MountError."""
    path.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(path))
    try:
        yield SmallDisk(path)
    finally:
        _run("umount", str(path))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=MOUNT_DEADLINE_SECONDS)
    except FileNotFoundError:
        raise MountError(f"there is no {command[0]} here") from None
    except subprocess.CalledProcessError as error:
        raise MountError(error.stderr.partition("\n")[0]) from None


def _write_until_full(descriptor: int, block: bytes) -> None:
    while True:
        try:
            os.write(descriptor, block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return
