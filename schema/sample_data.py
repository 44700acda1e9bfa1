"""Loads the sample data, a step of its own: one of its users is an administrator with a well-known password."""

from importlib import resources

from psycopg.errors import UndefinedColumn, UndefinedTable

from schema.connection import connect
from schema.errors import SchemaError

_SAMPLE_DATA = resources.files("schema").joinpath("sample_data.sql").read_text(encoding="utf-8")


def load_sample_data(url: str) -> None:
    """Add the sample rows that are not there yet, and change none. Raises SchemaError."""
    with connect(url) as session, session.transaction():
        try:
            session.execute(_SAMPLE_DATA)
        except (UndefinedTable, UndefinedColumn):
            raise SchemaError("The tables are not there yet: run `python -m schema migrate` first.") from None
