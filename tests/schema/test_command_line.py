from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from deploy.local.postgres import PostgresServer
from schema.__main__ import application
from tests.schema.command_line import finish, start


def run(command: str, **environment: str) -> tuple[int, str, str]:
    """Give exit status, standard output, standard error."""
    absent: dict[str, str | None] = {"DATABASE_URL": None, "DATABASE_URL_FILE": None}
    result = CliRunner().invoke(application, [command], env=absent | environment)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_migrates_and_says_what_it_did(fresh_database: str) -> None:
    status, output, errors = finish(start("migrate", DATABASE_URL=fresh_database))
    assert (status, errors) == (0, "")
    assert output == (
        "schema: 0001.utc, 0002.tables, 0003.pgcrypto, 0004.updated_at_triggers, 0005.message_failure,"
        " 0006.campaign_funnel, 0007.indexes, 0008.message_id_index, 0009.proven, 0010.recounted_revision,"
        " 0011.parked_statuses, 0012.status_outbox, 0013.changed_campaigns, 0014.message_triggers,"
        " 0015.campaign_revision_trigger, 0016.lock_campaigns, 0017.template_facts, 0018.cached_template_facts,"
        " 0019.number_facts, 0020.account_facts, 0021.replaced_accounts, 0022.replaced_templates,"
        " 0023.replaced_numbers, 0024.facts_indexes; roles are set\n"
    )


def test_adopts_and_says_so(hand_made_database: str) -> None:
    status, output, _ = run("migrate", DATABASE_URL=hand_made_database)
    assert status == 0
    assert output.startswith("schema: adopted the existing tables; 0003.pgcrypto")


def test_reads_the_url_from_a_file(sample_database: str, tmp_path: Path) -> None:
    secret = tmp_path / "database url"
    secret.write_text(f"{sample_database}\n", encoding="utf-8")
    assert run("migrate", DATABASE_URL_FILE=str(secret)) == (0, "schema: nothing was missing; roles are set\n", "")


def test_loads_the_sample_data(sample_database: str) -> None:
    status, output, errors = run("sample-data", DATABASE_URL=sample_database)
    assert (status, errors) == (0, "")
    assert output.startswith("schema: sample data is loaded")


def test_sample_data_needs_the_tables(postgres: PostgresServer) -> None:
    assert run("sample-data", DATABASE_URL=postgres.url()) == (
        1,
        "",
        "schema: The tables are not there yet: run `python -m schema migrate` first.\n",
    )


@pytest.mark.parametrize("command", ["migrate", "sample-data"])
@pytest.mark.parametrize("environment", [{}, {"DATABASE_URL": ""}, {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}])
def test_names_the_variable_when_there_is_no_database(command: str, environment: dict[str, str]) -> None:
    status, output, errors = run(command, **environment)
    assert (status, output) == (1, "")
    assert errors.startswith("schema: DATABASE_URL")


def test_names_the_file_that_cannot_be_read(tmp_path: Path) -> None:
    status, _, errors = run("migrate", DATABASE_URL_FILE=str(tmp_path / "absent"))
    assert status == 1
    assert errors.startswith("schema: DATABASE_URL_FILE cannot be read")


def test_shows_no_traceback() -> None:
    status, _, errors = finish(start("migrate"))
    assert status == 1
    assert len(errors.splitlines()) == 1


def test_a_refused_login_is_explained(sample_database: str) -> None:
    login, _, address = sample_database.partition("@")
    user = login.rpartition(":")[0]
    status, _, errors = run("migrate", DATABASE_URL=f"{user}:hidden-word@{address}")
    assert status == 1
    assert "password authentication failed" in errors
    assert "hidden-word" not in errors


def test_what_postgresql_refuses_is_told_in_its_words(fresh_database: str) -> None:
    with psycopg.connect(fresh_database) as connection:
        connection.execute("CREATE VIEW users AS SELECT 1 AS id")
    assert run("migrate", DATABASE_URL=fresh_database) == (
        1,
        "",
        'schema: PostgreSQL refused: relation "users" already exists\n',
    )
