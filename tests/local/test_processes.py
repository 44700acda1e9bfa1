"""Processes found again by pid file, and never mistaken for another's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.commands import StartError, host_environment, run_to_end
from deploy.local.processes import Daemon, Ending
from tests.local.conftest import kill, wait_for

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
# A parent that notes its child's pid, and waits.
PARENT = ("sh", "-c", "sleep 600 & echo $! > child; wait")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "part.pid", tmp_path / "part.log", Ending(signal.SIGTERM, 5.0, signal.SIGKILL))
    yield daemon
    daemon.stop()


def test_is_found_again_and_stopped_by_its_pid_file(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(SLEEP, host_environment(), tmp_path)
    pid = daemon.pid
    assert pid is not None
    assert (tmp_path / "part.pid").read_text() == f"{pid}\n"
    assert os.getsid(pid) == pid
    Daemon(tmp_path / "part.pid", tmp_path / "part.log", Ending(signal.SIGTERM, 5.0, signal.SIGKILL)).stop()
    assert daemon.pid is None
    assert list(tmp_path.glob("part.*")) == [tmp_path / "part.log"]


def test_a_pid_that_is_anothers_by_now_is_never_signalled(daemon: Daemon, tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP) as stranger:
        began = psutil.Process(stranger.pid).create_time()
        (tmp_path / "part.pid").write_text(f"{stranger.pid}\n")
        (tmp_path / "part.began").write_text(f"{began - 100} {tmp_path}\n")
        assert daemon.pid is None
        daemon.stop()
        assert stranger.poll() is None
        stranger.kill()
    assert stranger.returncode == -signal.SIGKILL


def test_pids_from_before_a_reboot_are_forgotten(daemon: Daemon, tmp_path: Path) -> None:
    # Our own session: after a reboot some session may well have the number of the process we knew.
    (tmp_path / "part.pid").write_text(f"{os.getsid(0)}\n")
    (tmp_path / "part.began").write_text(f"{psutil.boot_time() - 100} {tmp_path}\n")
    daemon.stop()
    assert not (tmp_path / "part.pid").exists()


def test_what_a_killed_process_left_ends_with_the_next_start(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(PARENT, host_environment(), tmp_path)
    wait_for(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    child = psutil.Process(int((tmp_path / "child").read_text()))
    pid = daemon.pid
    assert pid is not None
    kill(pid)
    assert child.is_running()
    daemon.start(SLEEP, host_environment(), tmp_path)
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert daemon.pid not in {None, pid}


def test_who_does_not_listen_is_killed(daemon: Daemon, tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n"
    impatient = Daemon(tmp_path / "part.pid", tmp_path / "part.log", Ending(signal.SIGTERM, 0.2, signal.SIGKILL))
    daemon.start((sys.executable, "-c", f"{stubborn}time.sleep(600)"), host_environment(), tmp_path)
    wait_for(lambda: "deaf" in daemon.log_file.read_text())
    impatient.stop()
    assert daemon.pid is None


def test_an_end_during_the_start_is_told_with_the_log(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(("sh", "-c", "echo no such thing; exit 3"), host_environment(), tmp_path)
    with pytest.raises(StartError, match=r"part ended while it was starting\n.*\n  no such thing"):
        daemon.wait_until(lambda: False, 10)


def test_a_command_that_takes_too_long_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="the command was not done after"):
        run_to_end("the command", ("sh", "-c", "sleep 600 & echo $!; wait"), tmp_path / "log", 0.5, host_environment())
    child = int((tmp_path / "log").read_text())
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
