"""The statements in `sql/`, by name."""

from functools import cache
from importlib import resources


@cache
def query(name: str) -> str:
    return (resources.files("tests.simulator") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
