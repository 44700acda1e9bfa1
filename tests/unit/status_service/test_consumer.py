"""What ends the consumer's loop."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from shared.kafka import KafkaUnavailableError
from status_service import subscription
from status_service.consumer import StatusConsumer
from status_service.settings import StatusSettings
from status_service.subscription import Subscription

SETTINGS: Mapping[str, Any] = {
    "kafka_bootstrap_servers": "kafka:9092",
    "database_url": "postgresql://postgres/PrimeSMS_W",
}


async def work() -> None:
    await asyncio.sleep(10)


class Client:
    """Stands in for aiokafka's consumer, as far as it has tasks that can die."""

    def __init__(self, **_arguments: Any) -> None:
        self._coordinator = self
        self._fetcher = self
        self._coordination_task = asyncio.create_task(work())
        self.error_future = asyncio.create_task(work())

    async def getmany(self, **_arguments: Any) -> dict[Any, Any]:
        await asyncio.sleep(0)
        if self._coordination_task.done():
            raise KafkaError
        return {}

    def assignment(self) -> set[Any]:
        return set()


@pytest.mark.parametrize("name", ["_coordination_task", "error_future"])
async def test_the_death_of_aiokafka_ends_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    client = Client()
    monkeypatch.setattr(subscription, "AIOKafkaConsumer", lambda **_arguments: client)
    monkeypatch.setattr(subscription, "POLL_FAILURE_PAUSE_SECONDS", 0)
    unused: Any = None
    polling = Subscription(StatusSettings(**SETTINGS), "group", [])
    running = asyncio.create_task(StatusConsumer(polling, 1, unused, unused, unused).run(asyncio.Event()))
    await asyncio.sleep(0.01)
    assert not running.done()
    getattr(client, name).cancel()
    with pytest.raises(KafkaUnavailableError, match="only a restart"):
        await asyncio.wait_for(running, timeout=10)
    client._coordination_task.cancel()
    client.error_future.cancel()
