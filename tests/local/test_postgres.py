"""The PostgreSQL server, as whoever runs the tests and the other ways root has."""

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local import unprivileged
from deploy.local.postgres import PostgresServer, embedded_bin_directory


def new_server(directory: Path, port: int | None = None) -> PostgresServer:
    return PostgresServer(embedded_bin_directory(), directory / "the data", directory / "postgres.log", port)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    server = new_server(tmp_path)
    yield server
    server.stop()


def test_commits_survive_a_kill_and_the_server_is_where_it_was(server: PostgresServer, tmp_path: Path) -> None:
    server.start()
    url, pid = server.url(), server.pid
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    # At once, while the kernel is still taking the old one down; from another object, as another call would.
    again = new_server(tmp_path)
    again.start()
    assert again.url() == url
    assert again.pid not in {None, pid}
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
    again.stop()
    assert server.pid is None


def test_settings_are_what_the_guarantees_are_tested_on(server: PostgresServer) -> None:
    server.start()
    with psycopg.connect(server.url()) as connection:
        names = ("fsync", "listen_addresses", "unix_socket_directories", "TimeZone", "server_encoding")
        query = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        settings: dict[str, str] = dict(connection.execute(query, ([*names],)).fetchall())
    assert settings == dict(zip(names, ("on", "127.0.0.1", "", "UTC", "UTF8"), strict=True))


def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    server.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace("prime_sms:", "prime_sms:not"))


def test_a_taken_port_is_replaced(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        server = new_server(tmp_path, taken)
        server.start()
        try:
            assert server.port != taken
        finally:
            server.stop()


def test_an_interrupted_initialization_is_done_again(server: PostgresServer, tmp_path: Path) -> None:
    unfinished = tmp_path / "the data.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    server.start()
    assert server.pid is not None
    assert not unfinished.exists()


def test_the_lock_file_of_an_ended_server_does_not_stop_the_next(server: PostgresServer, tmp_path: Path) -> None:
    server.start()
    server.stop()
    # As after a reboot: the pid that the server had is another process's, which PostgreSQL takes for the server.
    (tmp_path / "the data" / "postmaster.pid").write_text(f"{os.getppid()}\n{tmp_path / 'the data'}\n")
    (tmp_path / "the data.pid").write_text(f"{os.getppid()}\n")
    (tmp_path / "the data.began").write_text(f"{psutil.boot_time() - 100} {tmp_path}\n")
    server.start()
    assert server.pid not in {None, os.getppid()}


def test_root_without_namespaces_uses_another_account_and_opens_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    works = unprivileged._works
    monkeypatch.setattr(unprivileged, "_works", lambda prefix: prefix[0] != "unshare" and works(prefix))
    unprivileged.unprivileged_launch.cache_clear()
    server = new_server(closed)
    try:
        server.start()
        pid = server.pid
        assert pid is not None
        # A plain user stays who they are; root becomes somebody else.
        owner = psutil.Process(pid).uids().effective
        assert owner != 0
        assert (closed / "the data").stat().st_uid == owner
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        server.stop()
        unprivileged.unprivileged_launch.cache_clear()
