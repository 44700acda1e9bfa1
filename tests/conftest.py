"""The real parts that tests share: PostgreSQL servers and databases on them, and the whole local stack."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import uuid4

import aiohttp
import hypothesis
import psycopg
import pytest
from psycopg import sql

from deploy.local.broker import BrokerKind
from deploy.local.broker_choice import broker_kind
from deploy.local.postgres import PostgresServer, debian_bin_directory, embedded_bin_directory
from deploy.local.stack import Stack
from tests import tansu, unavailable
from tests.privacy import leaks

ROOT = Path(__file__).parent.parent
ROLE_PASSWORD = "for-tests"
REFERENCE = "postgresql-18"

# How fast a shared machine is says nothing about a rule.
hypothesis.settings.register_profile(
    "any speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any speed")

BROKER = pytest.StashKey[BrokerKind]()


def pytest_configure() -> None:
    """End as after Ctrl-C when asked to by SIGTERM, or the stack would stay behind.

    In the background Ctrl-C is ignored, and so it would be by the processes that tests start and interrupt.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def nothing_personal_is_written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Read, when everything has ended, what the services wrote during the whole run."""
    yield
    assert leaks(tmp_path_factory.getbasetemp()) == []


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run PostgreSQL, the broker and both services, apart from any stack that `make up` started."""
    running = Stack(tmp_path_factory.mktemp("stack") / "run", broker_kind(os.environ.get("BROKER")))
    running.up()
    pytestconfig.stash[BROKER] = running.broker.kind
    yield running
    environment = running.directory.read_environment()
    for name in ("INGEST_INTERNAL_URL", "STATUS_URL"):
        with urlopen(f"{environment[name]}/metrics", timeout=10) as answer:
            (running.directory.path / f"{name}.metrics").write_bytes(answer.read())
    running.down()


@pytest.fixture(autouse=True)
def tansu_cannot(request: pytest.FixtureRequest) -> None:
    """Skip what is on the list, and nothing else."""
    fact = tansu.CANNOT.get(request.node.nodeid)
    if fact is not None and request.getfixturevalue("stack").broker.kind is BrokerKind.TANSU:
        pytest.skip(fact)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which broker it was, and which skips are on no list."""
    broker = config.stash.get(BROKER, None)
    terminalreporter.write_line(f"Broker: {broker or 'none was needed'}")
    for nodeid in _unlisted_skips(terminalreporter, broker):
        lists = "tests/tansu.py or tests/unavailable.py"
        terminalreporter.write_line(f"SKIPPED without being listed in {lists}: {nodeid}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped more than Tansu, or this machine, forces it to."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and _unlisted_skips(reporter, session.config.stash.get(BROKER, None)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unlisted_skips(reporter: pytest.TerminalReporter, broker: BrokerKind | None) -> list[str]:
    listed = tansu.CANNOT if broker is BrokerKind.TANSU else {}
    skipped = [report for report in reporter.stats.get("skipped", ()) if report.nodeid not in listed]
    return [report.nodeid for report in skipped if not unavailable.explains(report)]


def _servers() -> dict[str, Path]:
    servers = {REFERENCE: embedded_bin_directory()}
    if (debian := debian_bin_directory(15)) is not None:
        servers["postgresql-15"] = debian
    return servers


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(server, id=server[0], marks=() if server[0] == REFERENCE else pytest.mark.oldest)
        for server in _servers().items()
    ],
)
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server: the reference version, and the oldest supported one where it is installed."""
    name, bin_directory = request.param
    directory = tmp_path_factory.mktemp(name)
    server = PostgresServer(bin_directory, directory / "data", directory / "postgresql.log")
    server.start()
    yield server
    server.stop()


def create_database(server: PostgresServer) -> str:
    """Create an empty database and give its name."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return name


def drop_database(server: PostgresServer, name: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def fresh_database(postgres: PostgresServer) -> Iterator[str]:
    """Give the URL of an empty database, for the server's superuser."""
    name = create_database(postgres)
    yield postgres.url(name)
    drop_database(postgres, name)


@pytest.fixture(scope="module")
def migrated_database(postgres: PostgresServer) -> Iterator[str]:
    """Give the URL of a database with our schema, for its owner."""
    name = create_database(postgres)
    url = postgres.url(name)
    subprocess.run(
        [sys.executable, "-m", "schema", "migrate"], cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=True
    )
    yield url
    drop_database(postgres, name)


@pytest.fixture(scope="module")
def status_service_database(migrated_database: str) -> str:
    """Give the URL of the same database for the role of status_service."""
    return as_role(migrated_database, "status_service")


def as_role(owner_url: str, role: str) -> str:
    """Set a role's password and give the URL with which its service connects."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(ROLE_PASSWORD))
        )
    parts = urlsplit(owner_url)
    return parts._replace(netloc=f"{role}:{ROLE_PASSWORD}@{parts.hostname}:{parts.port}").geturl()
