"""Signals, at any moment of a run, leave no process."""

import os
import signal
import subprocess
import sys

import pytest

from tests.local.conftest import CALL_DEADLINE_SECONDS, Checkout, wait_for

# Files that appear one after the other while a run starts; the last one is the command's own.
MOMENTS = ("postgres.unfinished", "postgres.pid", "migrate.log", "kafka.pid", "ingest.pid", "command")

# Leaves a mark, then waits for a process that, being in the background, ignores Ctrl-C.
COMMAND = ("sh", "-c", "sleep 600 & touch .run/command; wait")


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment_leaves_nothing(checkout: Checkout, moment: str) -> None:
    run = checkout.start("run", "--", *COMMAND)
    wait_for(lambda: checkout.run_file(moment).exists() or run.poll() is not None)
    # As the terminal does: to the whole foreground group.
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=CALL_DEADLINE_SECONDS)
    assert run.returncode == 128 + signal.SIGINT, output
    checkout.assert_nothing_runs()


@pytest.mark.parametrize(("number", "moment"), [(signal.SIGTERM, "command"), (signal.SIGHUP, "kafka.pid")])
def test_a_signal_to_run_alone_ends_all_too(checkout: Checkout, number: signal.Signals, moment: str) -> None:
    run = checkout.start("run", "--", *COMMAND)
    wait_for(lambda: checkout.run_file(moment).exists() or run.poll() is not None)
    run.send_signal(number)
    output, _ = run.communicate(timeout=CALL_DEADLINE_SECONDS)
    assert run.returncode == 128 + number, output
    checkout.assert_nothing_runs()


def test_repeated_ctrl_c_ends_a_command_that_ignores_it(checkout: Checkout) -> None:
    stubborn = "import signal, time, pathlib; signal.signal(2, signal.SIG_IGN); pathlib.Path('.run/command').touch()\n"
    run = checkout.start("run", "--", sys.executable, "-c", f"{stubborn}time.sleep(600)")
    wait_for(lambda: checkout.run_file("command").exists())
    os.killpg(run.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        run.communicate(timeout=1)
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=CALL_DEADLINE_SECONDS)
    assert run.returncode == 128 + signal.SIGINT, output
    checkout.assert_nothing_runs()
