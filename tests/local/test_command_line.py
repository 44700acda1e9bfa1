"""up, down and run, as a person types them, in a checkout where nothing runs yet."""

from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import PostgresServer, embedded_bin_directory
from deploy.local.tansu import TansuBroker, tansu_binary
from tests.local.conftest import CALL_DEADLINE_SECONDS, Checkout, kill


def test_up_starts_all_and_again_only_what_is_dead(checkout: Checkout) -> None:
    assert "Broker: tansu (asked for)" in checkout.up()
    before = checkout.pids()
    environment = checkout.env_file()

    kill(before["ingest"])
    kill(before["postgres"])
    assert "Started: ingest, postgres\n" in checkout.up()

    after = checkout.pids()
    assert {part for part in after if after[part] == before[part]} == {"kafka", "status"}
    assert checkout.env_file() == environment


def test_a_dead_tansu_is_void_and_takes_the_services_with_it(checkout: Checkout) -> None:
    checkout.up()
    before = checkout.pids()
    kill(before["kafka"])
    output = checkout.up()
    assert "void" in output
    assert "Started: ingest, kafka, status\n" in output
    assert checkout.pids()["postgres"] == before["postgres"]


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
    script = 'test "$(grep ^INGEST_URL .run/env)" = "INGEST_URL=$INGEST_URL" && exit 7'
    status, output = checkout.call("run", "--", "sh", "-c", script)
    assert status == 7, output
    checkout.assert_nothing_runs()
    # The command failed, so the logs may be wanted.
    assert {file.suffix for file in checkout.run_file("").iterdir()} == {".log"}


def test_a_part_that_fails_is_told_with_its_log_and_all_is_stopped(checkout: Checkout) -> None:
    (checkout.path / "ingest_service.fails").touch()
    status, output = checkout.call("up")
    assert status == 1
    assert "ingest ended while it was starting" in output
    assert "ingest_service was told to fail" in output
    assert "Traceback" not in output
    checkout.assert_nothing_runs()


def test_two_calls_at_once_do_not_trample(checkout: Checkout) -> None:
    calls = [checkout.start("run", "--keep", "--", "true"), checkout.start("up")]
    outputs = [call.communicate(timeout=CALL_DEADLINE_SECONDS)[0] for call in calls]
    assert [call.returncode for call in calls] == [0, 0], outputs
    pids = checkout.pids()
    assert "nothing, all was running" in checkout.up()
    assert checkout.pids() == pids
    assert len([process for process in checkout.processes() if f"-D{checkout.run_file('postgres')}" in process]) == 1


@pytest.mark.parametrize("found_on_the_path", [[], ["java"]])
def test_apache_kafka_that_cannot_be_had_is_told(
    checkout: Checkout, tmp_path: Path, found_on_the_path: list[str]
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in found_on_the_path:
        (tools / name).write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
        (tools / name).chmod(0o755)
    status, output = checkout.call("up", environment={"BROKER": "apache", "PATH": str(tools), "JAVA_HOME": ""})
    assert status == 1
    missing = "Maven here to fetch it with" if found_on_the_path else "Java 17 or later here"
    assert output == f"deploy.local: Apache Kafka is asked for, but there is no {missing}\n"
