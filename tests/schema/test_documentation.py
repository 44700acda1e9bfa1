"""docs/schema.md names every column and trigger and no other, and says status_service writes what it may write."""

import re
from pathlib import Path

import psycopg
import pytest

from schema.migrate import migrate
from tests.schema.test_own_tables import COLUMNS as OWN_COLUMNS
from tests.schema.test_roles import WRITABLE
from tests.schema.test_seed import ADDED_TRIGGERS, COLUMNS

DOCUMENT = Path(__file__).parents[2] / "docs" / "schema.md"


@pytest.fixture(scope="module")
def documented() -> dict[tuple[str, str], list[str]]:
    """Give writer and meaning of each column that the document's tables name."""
    chapter = DOCUMENT.read_text(encoding="utf-8").partition("## Who writes what")[2]
    _, *sections = re.split(r"^### ", chapter, flags=re.MULTILINE)
    rows = [
        (section.partition("\n")[0], row)
        for section in sections
        for row in re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", section, flags=re.MULTILINE)
    ]
    assert len(rows) == len({(table, column) for table, (column, *_) in rows})
    return {(table, column): texts for table, (column, *texts) in rows}


def test_the_document_and_the_catalog_have_the_same_columns(
    connection: psycopg.Connection[tuple[object, ...]], documented: dict[tuple[str, str], list[str]]
) -> None:
    rows = connection.execute(
        """
        SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relname = ANY (%s) AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
        """,
        [list(COLUMNS | OWN_COLUMNS)],
    )
    assert set(rows) == set(documented)


def test_status_service_writes_what_its_role_may(documented: dict[tuple[str, str], list[str]]) -> None:
    written = {key for key, (writer, _) in documented.items() if "status_service" in writer and key[0] in COLUMNS}
    assert written == {(table, name) for table, names in WRITABLE["status_service"].items() for name in names}


def test_our_own_tables_are_written_by_status_service_but_for_notes_and_numbers(
    documented: dict[tuple[str, str], list[str]],
) -> None:
    others = {
        key: writer for key, (writer, _) in documented.items() if key[0] in OWN_COLUMNS and writer != "status_service"
    }
    assert others == {
        ("status_outbox", "id"): "default",
        ("changed_campaigns", "campaign_id"): "a trigger on `message_logs`",
    }


def test_every_trigger_that_the_migrations_add_is_explained() -> None:
    chapter = DOCUMENT.read_text(encoding="utf-8").partition("## What the triggers do")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", chapter.partition("\n## ")[0], flags=re.MULTILINE)) == set(ADDED_TRIGGERS)


def test_triggers_write_every_updated_at(documented: dict[tuple[str, str], list[str]]) -> None:
    by_trigger = {key for key, (writer, _) in documented.items() if writer == "trigger"}
    assert by_trigger == {key for key in documented if key[1] == "updated_at"}


def test_the_statements_for_an_adopted_database_work(hand_made_database: str) -> None:
    migrate(hand_made_database)
    blocks = re.findall(r"^```sql\n(.+?)^```$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    statements = [statement for block in blocks for statement in block.split(";\n") if statement.strip()]
    with psycopg.connect(hand_made_database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
        method = connection.execute("SELECT pg_get_indexdef('idx_message_logs_status'::regclass)").fetchone()
    assert len(statements) == 5
    assert method == ("CREATE INDEX idx_message_logs_status ON public.message_logs USING brin (status)",)
