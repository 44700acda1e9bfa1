"""A checkout of its own, with stand-ins for the services, for each test of the command line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

# Starting everything on a busy machine, and stopping it.
CALL_DEADLINE_SECONDS = 120
# For what a signalled process started to follow it.
LEFTOVER_DEADLINE_SECONDS = 10

# Variables of the caller that are about other servers.
ELSEWHERE = {
    "DATABASE_URL": "postgresql://owner:secret@production.invalid/PrimeSMS_W",
    "KAFKA_BOOTSTRAP_SERVERS": "production.invalid:9092",
    "KAFKA_SASL_PASSWORD": "secret",
    "META_APP_SECRETS": "secret",
    "PGHOST": "production.invalid",
    "HOST": "production.invalid",
}
# All of the schema that the stack needs.
ROLES = """
import os
import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    for role in ("ingest_service", "status_service"):
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchall():
            connection.execute(f"CREATE ROLE {role} LOGIN")
"""
STAND_INS = ("schema", "status_service", "ingest_service")


def wait_for(condition: Callable[[], bool], deadline_seconds: float = CALL_DEADLINE_SECONDS) -> None:
    end = time.monotonic() + deadline_seconds
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_seconds} s"
        time.sleep(0.02)


@dataclass(frozen=True)
class Checkout:
    path: Path
    calls: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in {"EXTERNAL", "DATABASE_URL"}}
        return inherited | {"BROKER": "tansu"} | dict(extra or {})

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a call in a session of its own, as a terminal does."""
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", *arguments],
            cwd=self.path,
            env=self.environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.calls.append(process)
        return process

    def call(self, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        process = self.start(*arguments, environment=environment)
        output, _ = process.communicate(timeout=CALL_DEADLINE_SECONDS)
        return process.returncode, output

    def up(self, environment: Mapping[str, str] | None = None) -> str:
        status, output = self.call("up", environment=environment)
        assert status == 0, output
        return output

    def run_file(self, name: str) -> Path:
        return self.path / ".run" / name

    def pid(self, part: str) -> int:
        return int(self.run_file(f"{part}.pid").read_text())

    def pids(self) -> dict[str, int]:
        return {part: self.pid(part) for part in ("postgres", "kafka", "ingest", "status")}

    def env_file(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.run_file("env").read_text().splitlines())

    def seen(self, program: str) -> dict[str, str]:
        seen: dict[str, str] = json.loads((self.path / f"{program}.seen").read_text())
        return seen

    def processes(self) -> list[str]:
        """List what runs in this checkout, by working directory and command line."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = [process.cwd(), *process.cmdline()]
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if any(str(self.path) in word for word in words):
                found.append(f"{process.pid} {words}")
        return found

    def assert_nothing_runs(self) -> None:
        end = time.monotonic() + LEFTOVER_DEADLINE_SECONDS
        while (processes := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        assert processes == []


@contextmanager
def checked_out(path: Path) -> Iterator[Checkout]:
    """Copy the local stack, without git, beside stand-ins for the services; in the end nothing may be left."""
    shutil.copytree(ROOT / "deploy" / "local", path / "deploy" / "local", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("stand_in.py"), path)
    for name in STAND_INS:
        (path / name).mkdir()
        (path / name / "__main__.py").write_text(f"import stand_in\nstand_in.main({name!r})\n")
    with (path / "schema" / "__main__.py").open("a") as main:
        main.write(ROLES)
    checkout = Checkout(path)
    yield checkout
    for process in checkout.calls:
        with process:
            process.kill()
    if any(checkout.run_file("").glob("*.pid")):
        status, output = checkout.call("down")
        assert status == 0, output
        assert not (path / ".run").exists()
    checkout.assert_nothing_runs()


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout where nothing runs."""
    with checked_out(tmp_path / "a checkout") as checkout:
        yield checkout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout whose stack was started in an environment about other servers; a test leaves all running."""
    with checked_out(tmp_path_factory.mktemp("running") / "a checkout") as checkout:
        checkout.up(ELSEWHERE)
        yield checkout


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
