"""Databases in the states that the tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import PostgresServer
from schema.migrate import migrate
from schema.sample_data import load_sample_data
from tests.conftest import as_role, create_database, drop_database
from tests.schema.campaign import Connection


@pytest.fixture
def hand_made_database(fresh_database: str) -> str:
    """Give the customer's database as it may look: the seed's tables with data, made by other DDL than ours."""
    build_by_hand(fresh_database)
    return fresh_database


def build_by_hand(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(Path(__file__).with_name("hand_made.sql").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def sample_database(postgres: PostgresServer) -> Iterator[str]:
    """Give one migrated database with the sample data to every test that leaves nothing in it."""
    name = create_database(postgres)
    url = postgres.url(name)
    migrate(url)
    load_sample_data(url)
    yield url
    drop_database(postgres, name)


@pytest.fixture
def connection(sample_database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Give an open transaction on it, which is rolled back."""
    connection = psycopg.connect(sample_database)
    yield connection
    connection.rollback()
    connection.close()


@pytest.fixture(scope="session")
def written_database(postgres: PostgresServer) -> Iterator[str]:
    """Give one migrated database to the tests that commit, and to the platform an ordinary role in it."""
    name = create_database(postgres)
    url = postgres.url(name)
    migrate(url)
    with psycopg.connect(url) as administrator:
        administrator.execute("CREATE ROLE platform LOGIN")
        administrator.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON users, campaign_logs, message_logs TO platform")
        administrator.execute(
            "INSERT INTO users (name, email, username, password) VALUES ('Shop', 'shop@example.com', 'shop', '')"
        )
    yield url
    drop_database(postgres, name)
    with psycopg.connect(postgres.url()) as administrator:
        administrator.execute("DROP ROLE platform")


@pytest.fixture(scope="session")
def platform_url(written_database: str) -> str:
    return as_role(written_database, "platform")


@pytest.fixture
def platform(platform_url: str) -> Iterator[Connection]:
    """Give a session of the platform, each statement a transaction."""
    with psycopg.connect(platform_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def service(written_database: str) -> Iterator[Connection]:
    """Give a session of status_service that says whose it is, each statement a transaction."""
    url = as_role(written_database, "status_service")
    with psycopg.connect(url, autocommit=True, options="-c prime_sms.writer=status_service") as connection:
        yield connection
