"""up, down and run, as a person types them."""

import re
import socket
import stat
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import PostgresServer, embedded_bin_directory
from deploy.local.tansu import TansuBroker, tansu_binary
from tests.local.conftest import Checkout, kill


def test_up_starts_all_and_again_only_what_is_dead(checkout: Checkout) -> None:
    output = checkout.up()
    assert "Broker: tansu (asked for)" in output
    before = checkout.pids()
    environment = checkout.env_file()

    assert "nothing, all was running" in checkout.up()
    assert checkout.pids() == before

    kill(before["ingest"])
    assert "Started: ingest\n" in checkout.up()
    kill(before["postgres"])
    assert "Started: postgres\n" in checkout.up()

    after = checkout.pids()
    assert {part for part in after if after[part] == before[part]} == {"kafka", "status"}
    assert checkout.env_file() == environment
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("PrimeSMS_W",)


def test_a_dead_tansu_is_void_and_takes_the_services_with_it(checkout: Checkout) -> None:
    checkout.up()
    before = checkout.pids()
    kill(before["kafka"])
    output = checkout.up()
    assert "void" in output
    assert "Started: ingest, kafka, status\n" in output
    assert checkout.pids()["postgres"] == before["postgres"]


def test_the_environments_servers_are_left_alone(checkout: Checkout) -> None:
    elsewhere = {
        "DATABASE_URL": "postgresql://owner:secret@production.invalid/PrimeSMS_W",
        "KAFKA_BOOTSTRAP_SERVERS": "production.invalid:9092",
        "KAFKA_SASL_PASSWORD": "secret",
        "META_APP_SECRETS": "secret",
        "PGHOST": "production.invalid",
        "HOST": "production.invalid",
    }
    checkout.up(elsewhere)
    environment = checkout.env_file()
    for program in ("schema", "status_service", "ingest_service"):
        seen = checkout.seen(program)
        assert not any("invalid" in value or value == "secret" for value in seen.values()), seen
    ingest = checkout.seen("ingest_service")
    assert ingest["KAFKA_BOOTSTRAP_SERVERS"] == environment["KAFKA_BOOTSTRAP_SERVERS"]
    assert ingest["META_APP_SECRETS"] == environment["META_APP_SECRETS"]
    assert ingest["HOST"] == "127.0.0.1"
    with psycopg.connect(ingest["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("ingest_service",)


def test_external_parts_are_used_and_their_roles_left_as_they_are(checkout: Checkout, tmp_path: Path) -> None:
    server = PostgresServer(embedded_bin_directory(), tmp_path / "external", tmp_path / "external.log")
    binary = tansu_binary()
    assert binary is not None
    broker = TansuBroker(binary, tmp_path / "broker", tmp_path / "broker.log")
    server.start()
    broker.start()
    try:
        given = {"DATABASE_URL": server.url(), "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        checkout.up({"EXTERNAL": "1", **given})
        for program in ("ingest_service", "status_service"):
            assert given.items() <= checkout.seen(program).items()
        assert not checkout.run_file("postgres.pid").exists()
        assert not checkout.run_file("kafka.pid").exists()
        with psycopg.connect(server.url()) as connection:
            query = "SELECT count(*) FROM pg_authid WHERE rolname LIKE '%_service' AND rolpassword IS NOT NULL"
            assert connection.execute(query).fetchone() == (0,)
    finally:
        broker.stop()
        server.stop()


def test_external_needs_both_addresses(checkout: Checkout) -> None:
    status, output = checkout.call("up", environment={"EXTERNAL": "1", "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"})
    assert (status, output) == (1, "deploy.local: EXTERNAL=1 needs DATABASE_URL\n")


def test_run_gives_the_names_and_the_commands_status_and_leaves_nothing(checkout: Checkout) -> None:
    script = 'test "$(cat .run/env | grep ^INGEST_URL)" = "INGEST_URL=$INGEST_URL" && exit 7'
    status, output = checkout.call("run", "--", "sh", "-c", script)
    assert status == 7, output
    checkout.assert_nothing_runs()
    # The command failed, so the logs may be wanted.
    assert {file.suffix for file in checkout.run_file("").iterdir()} == {".log"}


def test_run_stops_only_what_it_started(checkout: Checkout) -> None:
    checkout.up()
    before = checkout.pids()
    kill(before["status"])
    status, output = checkout.call("run", "--", "true")
    assert status == 0, output
    assert not checkout.run_file("status.pid").exists()
    assert {part: checkout.pid(part) for part in ("postgres", "kafka", "ingest")} == {
        part: pid for part, pid in before.items() if part != "status"
    }


def test_run_keep_leaves_the_stack_running(checkout: Checkout) -> None:
    status, output = checkout.call("run", "--keep", "--", "true")
    assert status == 0, output
    assert "nothing, all was running" in checkout.up()


def test_an_unknown_command_is_told_and_leaves_nothing(checkout: Checkout) -> None:
    status, output = checkout.call("run", "--", "no-such-command")
    assert status == 1
    assert "no-such-command can't be run" in output
    checkout.assert_nothing_runs()


@pytest.mark.parametrize(("program", "part"), [("schema", "schema migrate"), ("ingest_service", "ingest ended")])
def test_a_part_that_fails_is_told_with_its_log_and_all_is_stopped(checkout: Checkout, program: str, part: str) -> None:
    (checkout.path / f"{program}.fails").touch()
    status, output = checkout.call("up")
    assert status == 1
    assert part in output
    assert f"{program} was told to fail" in output
    assert "Traceback" not in output
    checkout.assert_nothing_runs()


def test_two_checkouts_and_taken_ports(checkout: Checkout) -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stranger.bind(("127.0.0.1", 9091))
        except OSError:
            pass  # Somebody else has it: as good.
        else:
            stranger.listen()
        checkout.up()
        address = checkout.env_file()["STATUS_URL"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        assert not address.endswith(":9091")


def test_two_calls_at_once_do_not_trample(checkout: Checkout) -> None:
    calls = [checkout.start("up") for _ in range(2)]
    outputs = [call.communicate()[0] for call in calls]
    assert [call.returncode for call in calls] == [0, 0], outputs
    assert sum("Started: ingest, kafka, postgres, status" in output for output in outputs) == 1
    assert sum("nothing, all was running" in output for output in outputs) == 1


def test_secrets_are_for_the_owner_only(checkout: Checkout) -> None:
    checkout.up()
    private = [
        checkout.run_file("env"),
        checkout.run_file("postgres.password"),
        *checkout.run_file("").glob("*.secret"),
    ]
    assert len(private) == 6
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}


def test_another_broker_than_the_running_one_is_refused(checkout: Checkout) -> None:
    checkout.up()
    status, output = checkout.call("up", environment={"BROKER": "apache"})
    assert status == 1
    assert "has the broker tansu" in output


def test_an_unknown_broker_is_refused(checkout: Checkout) -> None:
    status, output = checkout.call("up", environment={"BROKER": "rabbit"})
    assert (status, output) == (1, "deploy.local: BROKER must be apache or tansu, not 'rabbit'\n")
