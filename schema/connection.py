"""Sessions that change the schema: UTC, schema public, and never long in the way of anyone else."""

import logging
import re

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import Diagnostic

from schema.errors import SchemaError

# Who waits for a table's lock makes everyone who comes later wait too; the design allows a second of that.
LOCK_TIMEOUT = "500ms"

# For a server that is away or behind a silent firewall; longer than any handshake over a network takes.
CONNECT_TIMEOUT_SECONDS = 10

# An index build takes as long as it takes, whatever limits a role or database has.
_SESSION_SETTINGS = {
    "timezone": "UTC",
    "search_path": "public",
    "lock_timeout": LOCK_TIMEOUT,
    "statement_timeout": "0",
}

# Stricter than libpq, whose error messages quote what it mistook for a host or port: it may be half of a password.
_URL = re.compile(r"postgres(ql)?://([^:@/?#\s]*(:[^@/?#\s]*)?@)?[^@/?#\s]*(/[^@/?#\s]*)?(\?[^@#\s]*)?")

# PostgreSQL's code for a plain RAISE WARNING, which only our own SQL does.
_RAISED_WARNING = "01000"

Session = psycopg.Connection[tuple[object, ...]]

_log = logging.getLogger("schema")


def connect(url: str) -> Session:
    if not _URL.fullmatch(url):
        raise SchemaError(
            "DATABASE_URL is not of the form postgresql://user:password@host:port/database"
            " (characters like @ / ? # in a password are written as %40 %2F %3F %23)"
        )
    ours = " ".join(f"-c {name}={value}" for name, value in _SESSION_SETTINGS.items())
    try:
        theirs = conninfo_to_dict(url).get("options", "")
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, options=f"{theirs} {ours}"
        )
    except psycopg.OperationalError as error:
        raise SchemaError(f"DATABASE_URL: no connection: {error}") from None
    except psycopg.ProgrammingError:
        raise SchemaError("DATABASE_URL cannot be read: a part of it is not percent-encoded") from None
    connection.add_notice_handler(_tell)
    return connection


def _tell(notice: Diagnostic) -> None:
    if notice.sqlstate == _RAISED_WARNING:
        _log.warning("warning: %s", notice.message_primary)
