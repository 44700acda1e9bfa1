"""Whether the seven tables are there already, and whether they are what the migrations would have built."""

from importlib import resources

from schema.connection import Session
from schema.errors import SchemaError

# What a new database gets and an adopted one has.
NEW_DATABASE_MIGRATIONS = ("0001.utc", "0002.tables")
_TABLES = "0002.tables"

# What later migrations add to the tables; an adopted table may have it, then of the same type.
_ADDITIONS = (
    "0005.message_failure",
    "0006.campaign_funnel",
    "0009.proven",
    "0010.recounted_revision",
    "0017.template_facts",
    "0018.cached_template_facts",
    "0019.number_facts",
    "0020.account_facts",
)

_PACKAGE = resources.files("schema")
_COLUMNS = _PACKAGE.joinpath("columns.sql").read_text(encoding="utf-8")

Columns = dict[tuple[str, str], str]


def has_tables(session: Session) -> bool:
    """Tell a database that has the seven tables from a new one. Raises SchemaError for anything in between."""
    found = _columns(session)
    # The migrations build the expectation themselves, in the session's temporary schema, and it is rolled back.
    with session.transaction(force_rollback=True):
        session.execute("SET LOCAL search_path TO pg_temp")
        _build(session, _TABLES)
        required = _columns(session)
        for addition in _ADDITIONS:
            _build(session, addition)
        expected = _columns(session)
    tables = {table for table, _ in required}
    present = tables & {table for table, _ in found}
    if not present:
        return False
    differences = [f"table {table} is missing" for table in sorted(tables - present)]
    for (table, column), kind in sorted(expected.items()):
        if table in present and (table, column) in found.keys() | required.keys():
            actual = found.get((table, column), "missing")
            if actual != kind:
                differences.append(f"{table}.{column} is {actual}, not {kind}")
    if differences:
        raise SchemaError(
            "The database has some of the seven tables, but not as the migrations would have built them."
            " Nothing was changed.\n" + "\n".join(f"  {difference}" for difference in differences)
        )
    return True


def _build(session: Session, migration: str) -> None:
    session.execute(_PACKAGE.joinpath("migrations", f"{migration}.sql").read_text(encoding="utf-8"))


def _columns(session: Session) -> Columns:
    return {(str(table), str(column)): str(kind) for table, column, kind in session.execute(_COLUMNS)}
