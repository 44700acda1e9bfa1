"""The run directory (.run): what runs, where, and with which secrets."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deploy.local.commands import StartError

# Another call may be fetching Kafka (180 s) and starting everything after that.
LOCK_DEADLINE_SECONDS = 300.0


class RunDirectory:
    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        return self.path / name

    def create(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self, wait: Callable[[Callable[[], bool], float], bool]) -> Iterator[None]:
        """Keep other calls for this directory out; the lock is on its parent, since it may go away itself."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.parent, os.O_RDONLY)
        try:
            if not wait(lambda: _lock(lock), LOCK_DEADLINE_SECONDS):
                raise StartError(f"another call is still working in {self.path}")
            yield
        finally:
            os.close(lock)

    def secret(self, name: str) -> str:
        """Give a secret that stays the same as long as the directory does."""
        file = self.file(f"{name}.secret")
        if not file.exists():
            self._write_private(file, secrets.token_hex(16))
        return file.read_text()

    def write_environment(self, environment: Mapping[str, str]) -> None:
        self._write_private(self.file("env"), "".join(f"{name}={value}\n" for name, value in environment.items()))

    def read_environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.file("env").read_text().splitlines())

    def clear(self, *, keep_logs: bool) -> None:
        if not self.path.exists():
            return
        if not keep_logs:
            shutil.rmtree(self.path)
            return
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.suffix != ".log":
                entry.unlink()

    @staticmethod
    def _write_private(file: Path, text: str) -> None:
        """Write for the owner's eyes; a reader sees the old text or the new, never a part."""
        unfinished = file.with_name(f"{file.name}.unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(text)
        unfinished.replace(file)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
