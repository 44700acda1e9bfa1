"""What is done to PostgreSQL here does happen to it."""

import psycopg
import pytest
from psycopg import errors

from tests.faults import processes
from tests.faults.databases import Database
from tests.faults.postgres import FaultyPostgres, FillablePostgres

# libpq takes nothing below two seconds.
ANSWER_DEADLINE_SECONDS = 2


def test_a_killed_server_recovers_what_was_committed(postgres_18: FaultyPostgres, database: Database) -> None:
    with psycopg.connect(database.owner) as open_session:
        open_session.execute("CREATE TABLE kept AS SELECT 1 AS number")
        open_session.commit()
        open_session.execute("INSERT INTO kept VALUES (2)")
        postgres_18.kill_9()
        with pytest.raises(psycopg.OperationalError):
            open_session.execute("SELECT")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(database.owner)
    postgres_18.start()
    with psycopg.connect(database.owner) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
    assert "automatic recovery in progress" in postgres_18.log_file.read_text()


def test_a_paused_server_accepts_and_never_answers(postgres_18: FaultyPostgres, database: Database) -> None:
    with psycopg.connect(database.status_service, autocommit=True) as open_session:
        pid = open_session.info.backend_pid
        postgres_18.pause()
        assert processes.is_paused(pid)
        with pytest.raises(errors.ConnectionTimeout):
            psycopg.connect(database.owner, connect_timeout=ANSWER_DEADLINE_SECONDS)
        postgres_18.resume()
        assert open_session.execute("SELECT 1").fetchone() == (1,)


def test_a_read_only_server_refuses_the_next_transaction_of_open_sessions(
    postgres_18: FaultyPostgres, database: Database
) -> None:
    with psycopg.connect(database.owner) as busy, psycopg.connect(database.owner) as idle:
        busy.execute("CREATE TABLE written (number int)")
        postgres_18.read_only(on=True)
        busy.execute("INSERT INTO written VALUES (1)")
        busy.commit()
        with psycopg.connect(database.owner) as new:
            for session in (busy, idle, new):
                with pytest.raises(errors.ReadOnlySqlTransaction):
                    session.execute("INSERT INTO written VALUES (2)")
                session.rollback()
        postgres_18.read_only(on=False)
        for session in (busy, idle):
            session.execute("INSERT INTO written VALUES (3)")


def test_a_full_disk_refuses_what_needs_room_until_it_is_freed(
    fillable_postgres: FillablePostgres, fillable_database: Database
) -> None:
    with psycopg.connect(fillable_database.owner, autocommit=True) as connection:
        connection.execute("CREATE TABLE large (text text)")
        fillable_postgres.disk.fill()
        with pytest.raises(errors.DiskFull):
            connection.execute("INSERT INTO large SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
        fillable_postgres.disk.free()
        connection.execute("INSERT INTO large SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
