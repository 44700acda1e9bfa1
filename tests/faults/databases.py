"""A database with our schema, as its owner and both services reach it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.local.postgres import PostgresServer
from deploy.local.stack import MIGRATE_DEADLINE_SECONDS, inherited_environment
from tests.conftest import ROOT, as_role, create_database, drop_database


@dataclass(frozen=True, slots=True)
class Database:
    """The URLs for the owner, and for the role of each service."""

    owner: str
    ingest_service: str
    status_service: str


@contextlib.contextmanager
def migrated_database(server: PostgresServer) -> Iterator[Database]:
    """Create and migrate a database; in the end, when it is dropped, the server must answer."""
    name = create_database(server)
    owner = server.url(name)
    subprocess.run(
        [sys.executable, "-m", "schema", "migrate"],
        cwd=ROOT,
        env=inherited_environment() | {"DATABASE_URL": owner},
        check=True,
        timeout=MIGRATE_DEADLINE_SECONDS,
    )
    yield Database(owner, as_role(owner, "ingest_service"), as_role(owner, "status_service"))
    drop_database(server, name)
