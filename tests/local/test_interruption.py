"""Signals, at any moment of a run, leave no process."""

import os
import signal

import pytest

from tests.local.conftest import CALL_DEADLINE_SECONDS, Checkout, wait_for

# Files that appear one after the other while a run starts; the last one is the command's own.
MOMENTS = ("kafka.pid", "postgres.unfinished", "migrate.log", "ingest.pid", "command")

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


@pytest.mark.parametrize(("number", "moment"), [(signal.SIGTERM, "command"), (signal.SIGHUP, "postgres.pid")])
def test_a_signal_to_run_alone_ends_all_too(checkout: Checkout, number: signal.Signals, moment: str) -> None:
    run = checkout.start("run", "--", *COMMAND)
    wait_for(lambda: checkout.run_file(moment).exists() or run.poll() is not None)
    run.send_signal(number)
    output, _ = run.communicate(timeout=CALL_DEADLINE_SECONDS)
    assert run.returncode == 128 + number, output
    checkout.assert_nothing_runs()
