"""A stack that runs: what it has taken from its surroundings, and further calls beside it."""

import os
import signal
import stat
import subprocess
import sys

import psycopg
import pytest

from tests.local.conftest import CALL_DEADLINE_SECONDS, ELSEWHERE, Checkout, kill, wait_for


def test_up_starts_nothing_twice(running: Checkout) -> None:
    before = running.pids()
    assert "nothing, all was running" in running.up()
    assert running.pids() == before


def test_the_environments_servers_are_left_alone(running: Checkout) -> None:
    for program in ("schema migrate", "status_service topics", "status_service", "ingest_service"):
        assert not set(running.seen(program).values()) & set(ELSEWHERE.values())
    ingest = running.seen("ingest_service")
    environment = running.env_file()
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "META_APP_SECRETS"):
        assert ingest[name] == environment[name]
    assert ingest["HOST"] == "127.0.0.1"


def test_owner_and_services_log_in_as_themselves(running: Checkout) -> None:
    users = []
    for url in (
        running.env_file()["DATABASE_URL"],
        running.seen("ingest_service")["DATABASE_URL"],
        running.seen("status_service")["DATABASE_URL"],
    ):
        with psycopg.connect(url) as connection:
            users.append(connection.execute("SELECT current_database(), current_user").fetchone())
    assert users == [("PrimeSMS_W", user) for user in ("prime_sms", "ingest_service", "status_service")]


def test_secrets_are_for_the_owner_only(running: Checkout) -> None:
    files = [running.run_file("env"), running.run_file("postgres.password"), *running.run_file("").glob("*.secret")]
    assert len(files) == 6
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_second_checkout_finds_other_ports(running: Checkout, checkout: Checkout) -> None:
    checkout.up()
    ours, theirs = running.env_file(), checkout.env_file()
    assert not {ours[name] for name in ours} & {theirs[name] for name in theirs}


def test_another_broker_than_the_running_one_is_refused(running: Checkout) -> None:
    status, output = running.call("up", environment={"BROKER": "apache"})
    assert (status, output) == (
        1,
        "deploy.local: the stack here has the broker tansu; stop it (down) before asking for another\n",
    )


def test_an_unknown_broker_is_refused(running: Checkout) -> None:
    status, output = running.call("up", environment={"BROKER": "rabbit"})
    assert (status, output) == (1, "deploy.local: BROKER must be apache or tansu, not 'rabbit'\n")


def test_an_unknown_command_is_told(running: Checkout) -> None:
    before = running.pids()
    status, output = running.call("run", "--", "no-such-command")
    assert status == 1
    assert "no-such-command can't be run" in output
    assert running.pids() == before


def test_run_stops_only_what_it_started(running: Checkout) -> None:
    before = running.pids()
    kill(before["status"])
    status, output = running.call("run", "--", "test", "-f", ".run/status.pid")
    assert status == 0, output
    assert not running.run_file("status.pid").exists()
    assert "Started: status\n" in running.up()
    after = running.pids()
    assert {part for part in after if after[part] != before[part]} == {"status"}


def test_the_services_do_not_get_the_terminals_ctrl_c(running: Checkout) -> None:
    before = running.pids()
    run = running.start("run", "--", "sh", "-c", "touch command; sleep 600")
    wait_for((running.path / "command").exists)
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=CALL_DEADLINE_SECONDS)
    assert run.returncode == 128 + signal.SIGINT
    assert "nothing, all was running" in running.up()
    assert running.pids() == before


def test_repeated_ctrl_c_ends_a_command_that_ignores_it(running: Checkout) -> None:
    deaf = "import signal, time, pathlib; signal.signal(2, signal.SIG_IGN); pathlib.Path('deaf').touch()\n"
    run = running.start("run", "--", sys.executable, "-c", f"{deaf}time.sleep(600)")
    wait_for((running.path / "deaf").exists)
    os.killpg(run.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        run.communicate(timeout=1)
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=CALL_DEADLINE_SECONDS)
    assert run.returncode == 128 + signal.SIGINT
    assert not [process for process in running.processes() if "deaf" in process]
