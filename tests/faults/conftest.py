"""Servers that the tests here break: three Kafka brokers, and PostgreSQL, also one whose disk can be full."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.broker import BrokerKind
from deploy.local.kafka_jars import java, kept_jars
from deploy.local.postgres import embedded_bin_directory
from deploy.local.stack import CACHE
from tests import unavailable
from tests.conftest import BROKER
from tests.faults.cluster import KafkaCluster
from tests.faults.databases import Database, migrated_database
from tests.faults.outage import Pair, services
from tests.faults.postgres import FaultyPostgres, FillablePostgres
from tests.faults.services import Stage
from tests.faults.small_disk import mounted
from tests.integration.processes import free_port, run_to_end

HERE = Path(__file__).parent

# What of the fault suite runs with every `make test`; the rest has a target of its own.
EVERY_TIME = frozenset(
    {
        "test_a_consumer_is_killed_again_and_again",
        "test_a_server_that_hangs_and_then_crashes_is_waited_for",
    }
)

# A fresh server with one migrated database takes 60 MB, and keeps up to 80 MB of its log.
SMALL_DISK_MEBIBYTES = 256


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.name.partition("[")[0] not in EVERY_TIME:
            item.add_marker("fault")


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Run three brokers; whatever a test does to them is undone before the next."""
    if (reason := unavailable.apache_kafka()) is not None:
        pytest.skip(reason)
    found_java, jars = java(), kept_jars(CACHE)
    assert found_java is not None
    assert jars is not None
    running = KafkaCluster(found_java, jars, tmp_path_factory.mktemp("cluster"))
    pytestconfig.stash.setdefault(BROKER, BrokerKind.APACHE)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def postgres_18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyPostgres]:
    """Run a server; whatever a test does to it is undone before the next."""
    directory = tmp_path_factory.mktemp("postgres")
    running = FaultyPostgres(embedded_bin_directory(), directory / "data", directory / "postgres.log")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def fillable_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FillablePostgres]:
    """Run a server on a small disk of its own."""
    if (reason := unavailable.mounts()) is not None:
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("fillable")
    server = FaultyPostgres(embedded_bin_directory(), directory / "data", directory / "postgres.log")
    with mounted(directory / "disk", SMALL_DISK_MEBIBYTES) as disk:
        try:
            server.start()
            server.move_data(disk.path)
            yield FillablePostgres(server, disk)
        finally:
            disk.free()
            server.stop()


@pytest.fixture(autouse=True)
def repaired(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give the next test whole servers."""
    names = {"cluster", "postgres_18", "fillable_postgres"} & set(request.fixturenames)
    servers: list[KafkaCluster | FaultyPostgres | FillablePostgres] = list(map(request.getfixturevalue, names))
    yield
    for server in servers:
        server.repair()


@pytest.fixture
def database(postgres_18: FaultyPostgres) -> Iterator[Database]:
    """Give a migrated database of the test's own."""
    with migrated_database(postgres_18) as database:
        yield database
        postgres_18.repair()


@pytest.fixture
def fillable_database(fillable_postgres: FillablePostgres) -> Iterator[Database]:
    """Give a migrated database of the test's own, on the small disk."""
    with migrated_database(fillable_postgres.server) as database:
        yield database
        fillable_postgres.repair()


@pytest.fixture
async def kafka(cluster: KafkaCluster) -> AsyncIterator[dict[str, str]]:
    """Give the services' settings for the cluster, with topics and a consumer group of the test's own."""
    name = uuid4().hex
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        "TOPIC_PREFIX": f"{name}.",
        "CONSUMER_GROUP": name,
    }
    # Each broker leads one partition of each topic; more would make every start of a broker longer.
    numbers = {"TOPIC_PARTITIONS": "3", "TOPIC_REPLICATION": "3"}
    status, output = await run_to_end("status_service", "topics", **settings, **numbers)
    assert status == 0, output
    yield settings
    await asyncio.to_thread(cluster.repair)
    await delete_topics(cluster, f"{name}.")


async def delete_topics(cluster: KafkaCluster, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(names)
    finally:
        await admin.close()


@pytest.fixture
async def pair(
    kafka: dict[str, str], database: Database, http: aiohttp.ClientSession, tmp_path: Path
) -> AsyncIterator[Pair]:
    """Run both services on the cluster and the server, with topics and a database of the test's own."""
    async with services(http, kafka, database, tmp_path) as pair:
        yield pair


@pytest.fixture
def stage(kafka: dict[str, str], database: Database, http: aiohttp.ClientSession, tmp_path: Path) -> Stage:
    """Give settings with which services of the test's own can be started."""
    own = {"META_APP_SECRETS": "app-secret", "META_VERIFY_TOKENS": "verify-token", "PORT": str(free_port())}
    return Stage(kafka | own, database, tmp_path, http)


@pytest.fixture
def chance() -> random.Random:
    """Give the chance that misfortunes are drawn by; FAULT_SEED repeats a run's."""
    seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(2**32))
    print(f"FAULT_SEED={seed}")  # noqa: T201 -- pytest shows it with a failure
    return random.Random(seed)
