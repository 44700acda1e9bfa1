"""A new database: once, again, twice at once, and after a kill."""

import re

import psycopg
import pytest

from schema import migrate as module
from schema.errors import SchemaError
from schema.migrate import migrate
from tests.schema.command_line import finish, start
from tests.schema.waiting import wait_until_someone_waits

# Everything the migrations are about, whatever table of the catalog it is kept in; not the library's own books.
CATALOG = """
    SELECT 'relation', pg_class.oid::text, relname::text, concat(relfilenode, reloptions, relacl) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '%yoyo%'
    UNION ALL SELECT 'column', attrelid::text, attname::text, concat(atttypid, atttypmod, attnotnull, attacl)
    FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    UNION ALL SELECT 'constraint', oid::text, conname::text, '' FROM pg_constraint
    UNION ALL SELECT 'trigger', oid::text, tgname::text, pg_get_triggerdef(oid) FROM pg_trigger
    UNION ALL SELECT 'function', oid::text, proname::text, concat(prosrc, prosecdef, proconfig, proacl) FROM pg_proc
    UNION ALL SELECT 'setting', setdatabase::text, '', setconfig::text FROM pg_db_role_setting
    ORDER BY 1, 2, 3
"""


def catalog(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(CATALOG).fetchall()


def test_a_second_run_changes_nothing(sample_database: str) -> None:
    before = catalog(sample_database)
    outcome = migrate(sample_database)
    assert catalog(sample_database) == before
    assert (outcome.adopted, outcome.applied) == (False, ())


def test_two_processes_at_once_both_succeed_and_apply_each_migration_once(fresh_database: str) -> None:
    processes = [start("migrate", DATABASE_URL=fresh_database) for _ in range(2)]
    results = [finish(process) for process in processes]
    assert [(status, errors) for status, _, errors in results] == [(0, "")] * 2
    assert sorted("nothing was missing" in output for _, output, _ in results) == [False, True]
    with psycopg.connect(fresh_database) as connection:
        row = connection.execute("SELECT count(*), count(DISTINCT migration_id) FROM _yoyo_log").fetchone()
    assert row == (24, 24)


def test_a_run_waits_for_its_turn_only_so_long(sample_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_PATIENCE_SECONDS", 0.5)
    with psycopg.connect(sample_database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [module._TURN])
        with pytest.raises(SchemaError, match="Another migration"):
            migrate(sample_database)


def test_a_kill_between_a_migration_and_its_entry_is_made_good(fresh_database: str) -> None:
    migrate(fresh_database)
    before = catalog(fresh_database)
    with psycopg.connect(fresh_database) as connection:
        connection.execute("DELETE FROM _yoyo_migration")
    assert migrate(fresh_database).adopted
    assert catalog(fresh_database) == before


def test_a_killed_run_is_finished_by_the_next(fresh_database: str) -> None:
    with psycopg.connect(fresh_database) as bystander:
        bystander.execute("SET default_transaction_isolation TO 'repeatable read'")
        bystander.commit()
        bystander.execute("SELECT txid_current()")
        process = start("migrate", DATABASE_URL=fresh_database)
        wait_until_someone_waits(fresh_database, "virtualxid")
        process.kill()
        assert finish(process)[0] < 0
    migrate(fresh_database)
    with psycopg.connect(fresh_database) as connection:
        invalid = connection.execute("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid").fetchall()
        definition = connection.execute("SELECT pg_get_indexdef('idx_message_logs_message_id'::regclass)").fetchone()
    assert invalid == []
    assert definition is not None
    assert re.search(r"ON public.message_logs USING hash \(message_id\)", str(definition[0]))
