"""Brings a database to the newest schema: builds a new one, adopts one that has the seven tables with data."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable
from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed
from yoyo import read_migrations

from schema.adoption import NEW_DATABASE_MIGRATIONS, has_tables
from schema.backend import Backend
from schema.connection import Session, connect
from schema.errors import SchemaError

# For one migration to find its tables unlocked: others' transactions end, a deployment is not held up for long.
LOCK_PATIENCE_SECONDS = 60.0

# Between attempts, so that everyone who had to queue behind ours gets through.
LOCK_PAUSE_SECONDS = 1.0

# For another migration run to end: about what its index builds may take on tables of some ten million rows.
TURN_PATIENCE_SECONDS = 600.0
TURN_PAUSE_SECONDS = 0.2

# Any number nobody else uses. Unlike yoyo's lock row, an advisory lock goes with the session that held it.
_TURN = 7077_7335

_PACKAGE = resources.files("schema")
_ROLES = _PACKAGE.joinpath("roles.sql").read_text(encoding="utf-8")
_INVALID_INDEXES = _PACKAGE.joinpath("invalid_indexes.sql").read_text(encoding="utf-8")
_CONCURRENT_INDEX = re.compile(r"CREATE INDEX CONCURRENTLY IF NOT EXISTS (\w+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run changed: whether it adopted tables that were there, and the migrations it applied."""

    adopted: bool
    applied: tuple[str, ...]


def migrate(url: str, lock_patience: float = LOCK_PATIENCE_SECONDS) -> Outcome:
    """Apply what is missing, then the roles. Raises SchemaError or psycopg.Error; running again is always safe."""
    with connect(url) as session:
        if session.info.server_version < 150000:
            raise SchemaError("PostgreSQL 15 or newer is needed")
        _wait_for_turn(session)
        tables_were_there = has_tables(session)
        backend = Backend(session)
        backend.create_lock_table()
        # Whoever left a row there is dead, for it is our turn.
        backend.break_lock()
        pending = list(backend.to_apply(read_migrations("package:schema:migrations")))
        theirs = [migration for migration in pending if tables_were_there and migration.id in NEW_DATABASE_MIGRATIONS]
        ours = [migration for migration in pending if migration not in theirs]
        backend.mark_migrations(theirs)
        for migration in ours:
            _patiently(migration.id, lock_patience, partial(_apply, migration, backend, session))
        _patiently("roles", lock_patience, partial(_apply_roles, session))
    return Outcome(adopted=bool(theirs), applied=tuple(migration.id for migration in ours))


def _wait_for_turn(session: Session) -> None:
    # Asked again and again, not waited for: concurrent builds would wait for the waiting statement.
    try:
        Retrying(
            retry=retry_if_result(lambda row: row != (True,)),
            stop=stop_after_delay(TURN_PATIENCE_SECONDS),
            wait=wait_fixed(TURN_PAUSE_SECONDS),
        )(lambda: session.execute("SELECT pg_try_advisory_lock(%s)", [_TURN]).fetchone())
    except RetryError:
        raise SchemaError(
            f"Another migration of this database has not ended in {TURN_PATIENCE_SECONDS:.0f} s."
        ) from None


def _patiently(name: str, patience: float, step: Callable[[], None]) -> None:
    try:
        Retrying(
            retry=retry_if_exception_type((LockNotAvailable, DeadlockDetected)),
            stop=stop_after_delay(patience),
            wait=wait_fixed(LOCK_PAUSE_SECONDS),
            reraise=True,
        )(step)
    except (LockNotAvailable, DeadlockDetected):
        raise SchemaError(
            f"{name}: another session holds a lock on what it changes, tried for {patience:.0f} s."
            " What was applied before it stays; run the command again when the lock is gone."
        ) from None


def _apply(migration: Any, backend: Backend, session: Session) -> None:
    indexes = _CONCURRENT_INDEX.findall(Path(migration.path).read_text(encoding="utf-8"))
    for (index,) in session.execute(_INVALID_INDEXES, [indexes]).fetchall():
        session.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(str(index))))
    backend.apply_one(migration)


def _apply_roles(session: Session) -> None:
    with session.transaction():
        session.execute(_ROLES)
