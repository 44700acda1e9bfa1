"""The migration library on a session of this package."""

import socket
import uuid
from datetime import UTC, datetime
from typing import Any

from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI

from schema.connection import Session


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo publishes no types
    """Does everything in one session, so that the work ends with the lock that keeps two runs apart."""

    def __init__(self, session: Session) -> None:
        self._session = session
        super().__init__(DatabaseURI("postgresql+psycopg", None, None, None, None, None, {}), "_yoyo_migration")

    def connect(self, _uri: DatabaseURI) -> Session:
        return self._session

    def copy(self) -> "Backend":
        return Backend(self._session)

    def __exit__(self, *_error: object) -> None:
        """Leave the session open: yoyo closes what it copied, and here that is everybody's."""

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """Say who migrated, without yoyo's look-ups: a container's user has no name, and a network may have no DNS."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration and migration.id,
            "migration_hash": migration and migration.hash,
            "username": self.connection.info.user,
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }
