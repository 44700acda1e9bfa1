"""Databases in the states that the tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import PostgresServer
from schema.migrate import migrate
from schema.sample_data import load_sample_data
from tests.conftest import create_database, drop_database


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
