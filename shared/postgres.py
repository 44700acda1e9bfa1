"""PostgreSQL as our services use it: statements from files, and which errors pass by themselves."""

from pathlib import Path
from typing import Final

import asyncpg

# A new connection; the server is near.
CONNECT_DEADLINE_SECONDS: Final = 5.0

# Whatever asyncpg raises; InternalClientError where a session was terminated and it has not read that to the end.
ERRORS: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# SQLSTATE classes of outages: connection, resources (disk full, too many clients), operator intervention (shutdown,
# statement timeout), system errors.
OUTAGE_CLASSES: Final = frozenset({"08", "53", "57", "58"})
# Serialization failure, deadlock, lock timeout: the same transaction succeeds later. Read-only: a failover under way.
REPEATABLE: Final = frozenset({"40001", "40P01", "55P03", "25006"})
# What is wrong with the data itself: its values, constraints, a program's limits, what a customer's trigger raises.
REFUSAL_CLASSES: Final = frozenset({"22", "23", "54", "P0"})


def read_statement(module_file: str, name: str) -> str:
    """Read the statement in `sql/NAME.sql` beside a module."""
    return Path(module_file).with_name("sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def passes(error: BaseException) -> bool:
    """Tell whether the same work can succeed later: an outage or a conflict rather than refused data."""
    if isinstance(error, asyncpg.PostgresError):
        sqlstate = str(error.sqlstate)
        return sqlstate[:2] in OUTAGE_CLASSES or sqlstate in REPEATABLE
    # asyncpg raises InterfaceError where a connection closed under it, and as a ValueError for what it cannot encode.
    return isinstance(error, ERRORS) and not isinstance(error, ValueError)


def refuses(error: BaseException) -> bool:
    """Tell whether the same data will be refused again."""
    return isinstance(error, asyncpg.PostgresError) and str(error.sqlstate)[:2] in REFUSAL_CLASSES


def reason(error: BaseException) -> str:
    """Name an error for a log line or a metric's label: its SQLSTATE, else its type. Its text can hold data."""
    return str(error.sqlstate) if isinstance(error, asyncpg.PostgresError) else type(error).__name__
