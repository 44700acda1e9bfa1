"""How publications share batches: who waits for what, and what is never handed over."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from ingest_service import metrics
from ingest_service.settings import IngestSettings
from shared.partition import partition_of
from shared.publisher import BATCH_BYTES, NotPublishedError, Publisher, RefusedError
from shared.records import Header, Record
from shared.topics import RAW_OTHER, RAW_STATUS, RAW_TOPICS, RAW_UNROUTABLE

PARTITIONS = {"whatsapp.raw.status": 3, "whatsapp.raw.other": 1, "whatsapp.raw.unroutable": 2}


class Batch:
    """Stands in for aiokafka's batch: takes records up to its size, and always the first."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes]] = []
        self.size = 0

    def append(self, *, timestamp: None, key: bytes | None, value: bytes, headers: Sequence[Header]) -> object | None:
        assert timestamp is None, "aiokafka takes the time itself"
        if self.records and self.size + len(value) > BATCH_BYTES:
            return None
        assert headers == []
        self.records.append((key, value))
        self.size += len(value)
        return object()


class Producer:
    """Stands in for aiokafka's producer: keeps what it was handed, and acknowledges when the test says so."""

    def __init__(self) -> None:
        self.handed_over: list[tuple[str, int, Batch, asyncio.Future[None]]] = []

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.handed_over.append((topic, partition, batch, acknowledged))
        return acknowledged

    def values(self) -> list[bytes]:
        return [value for _, _, batch, _ in self.handed_over for _, value in batch.records]


@pytest.fixture
def settings() -> IngestSettings:
    given: dict[str, Any] = {
        "meta_app_secrets": "s",
        "meta_verify_tokens": "t",
        "kafka_bootstrap_servers": "kafka:9092",
    }
    return IngestSettings(**given)


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
def publisher(settings: IngestSettings, producer: Producer) -> Publisher:
    made = Publisher(settings, RAW_TOPICS, 1, metrics.PUBLISHER)
    made._producer = producer
    made._open(PARTITIONS)
    return made


async def turn() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


def start(publisher: Publisher, *values: bytes, topic: Any = RAW_OTHER) -> asyncio.Task[None]:
    return asyncio.create_task(publisher.publish([Record(topic, b"key", value) for value in values]))


async def test_webhooks_that_come_together_travel_together(publisher: Publisher, producer: Producer) -> None:
    waiting = [start(publisher, b"1"), start(publisher, b"2"), start(publisher, b"3")]
    await turn()
    ((_, _, batch, acknowledged),) = producer.handed_over
    assert [value for _, value in batch.records] == [b"1", b"2", b"3"]
    assert not any(task.done() for task in waiting)
    acknowledged.set_result(None)
    await asyncio.gather(*waiting)


async def test_what_arrives_while_a_batch_is_under_way_gathers_for_the_next(
    publisher: Publisher, producer: Producer
) -> None:
    waiting = []
    for value in (b"1", b"2", b"3"):
        waiting.append(start(publisher, value))
        await turn()
    assert producer.values() == [b"1"]
    producer.handed_over[0][3].set_result(None)
    await turn()
    assert [value for _, value in producer.handed_over[1][2].records] == [b"2", b"3"]
    producer.handed_over[1][3].set_result(None)
    await asyncio.gather(*waiting)


async def test_a_partition_that_is_stuck_holds_up_no_other(publisher: Publisher, producer: Producer) -> None:
    keys = {partition_of(b"%d" % number, 3): b"%d" % number for number in range(10)}
    stuck = [asyncio.create_task(publisher.publish([Record(RAW_STATUS, keys[0], b"stuck")])) for _ in range(3)]
    await turn()
    for _ in range(5):
        other = asyncio.create_task(publisher.publish([Record(RAW_STATUS, keys[1], b"other")]))
        await turn()
        assert producer.handed_over[-1][1] == 1
        producer.handed_over[-1][3].set_result(None)
        await other
    assert not any(task.done() for task in stuck)
    (batch,) = [batch for batch in producer.handed_over if batch[1] == 0]
    batch[3].set_result(None)
    await asyncio.gather(*stuck)


async def test_a_webhook_waits_for_its_own_batches_only(publisher: Publisher, producer: Producer) -> None:
    one, other = start(publisher, b"1"), start(publisher, b"2", topic=RAW_STATUS)
    await turn()
    by_topic = {topic: acknowledged for topic, _, _, acknowledged in producer.handed_over}
    by_topic["whatsapp.raw.other"].set_result(None)
    await turn()
    assert (one.done(), other.done()) == (True, False)
    by_topic["whatsapp.raw.status"].set_result(None)
    await other


async def test_a_failed_batch_fails_its_own_webhooks_only(publisher: Publisher, producer: Producer) -> None:
    records = [Record(RAW_OTHER, b"key", b"1"), Record(RAW_STATUS, b"key", b"2")]
    both, one = asyncio.create_task(publisher.publish(records)), start(publisher, b"3")
    await turn()
    by_topic = {topic: acknowledged for topic, _, _, acknowledged in producer.handed_over}
    by_topic["whatsapp.raw.other"].set_result(None)
    by_topic["whatsapp.raw.status"].set_exception(RuntimeError("refused"))
    await one
    with pytest.raises(NotPublishedError):
        await both


async def test_a_webhook_that_left_is_not_handed_over(publisher: Publisher, producer: Producer) -> None:
    first = start(publisher, b"1")
    await turn()
    left, stays = start(publisher, b"2"), start(publisher, b"3")
    await turn()
    left.cancel()
    await turn()
    producer.handed_over[0][3].set_result(None)
    await turn()
    assert producer.values() == [b"1", b"3"]
    producer.handed_over[1][3].set_result(None)
    await asyncio.gather(first, stays)


async def test_a_client_that_leaves_cancels_nothing_shared(publisher: Publisher, producer: Producer) -> None:
    left, stays = start(publisher, b"1"), start(publisher, b"2")
    await turn()
    left.cancel()
    await turn()
    producer.handed_over[0][3].set_result(None)
    await stays


async def test_a_large_record_travels_alone(publisher: Publisher, producer: Producer) -> None:
    large = b"x" * (BATCH_BYTES + 1)
    waiting = start(publisher, b"1", large, b"2")
    for number in range(3):
        await turn()
        assert len(producer.handed_over) == number + 1
        producer.handed_over[number][3].set_result(None)
    await waiting
    batches = [[value for _, value in batch.records] for _, _, batch, _ in producer.handed_over]
    assert batches == [[b"1"], [large], [b"2"]]


async def test_records_without_a_key_are_spread(publisher: Publisher, producer: Producer) -> None:
    records = [Record(RAW_UNROUTABLE, None, b"1"), Record(RAW_UNROUTABLE, None, b"2")]
    waiting = asyncio.create_task(publisher.publish(records))
    await turn()
    assert {partition for _, partition, _, _ in producer.handed_over} == {0, 1}
    for _, _, _, acknowledged in producer.handed_over:
        acknowledged.set_result(None)
    await waiting


async def test_a_hanging_broker_is_given_up(settings: IngestSettings, producer: Producer) -> None:
    publisher = Publisher(settings, RAW_TOPICS, 0.01, metrics.PUBLISHER)
    publisher._producer = producer
    publisher._open(PARTITIONS)
    with pytest.raises(NotPublishedError):
        await publisher.publish([Record(RAW_OTHER, b"key", b"1")])
    # The partition is free again.
    waiting = [start(publisher, b"2"), start(publisher, b"3")]
    await turn()
    assert producer.values() == [b"1", b"2", b"3"]
    producer.handed_over[-1][3].set_result(None)
    await asyncio.gather(*waiting)


async def test_a_batch_that_cannot_be_made_is_told_and_stops_nothing(
    publisher: Publisher, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Batch:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(producer, "create_batch", fail)
        with pytest.raises(NotPublishedError):
            await publisher.publish([Record(RAW_OTHER, b"key", b"1")])
    waiting = start(publisher, b"2")
    await turn()
    producer.handed_over[0][3].set_result(None)
    await waiting
    assert producer.values() == [b"2"]


async def test_nothing_to_publish_waits_for_nothing(publisher: Publisher) -> None:
    await publisher.publish([])


async def test_a_refused_record_is_told_alone_and_the_others_are_there(
    publisher: Publisher, producer: Producer
) -> None:
    bad, good = start(publisher, b"1", b"bad", b"2", b"3"), start(publisher, b"4")
    answered = 0
    while not (bad.done() and good.done()):
        await turn()
        for _, _, batch, acknowledged in producer.handed_over[answered:]:
            if b"bad" in [value for _, value in batch.records]:
                acknowledged.set_exception(MessageSizeTooLargeError())
            else:
                acknowledged.set_result(None)
            answered += 1
    with pytest.raises(RefusedError) as refused:
        await bad
    await good
    assert [(refusal.record.value, refusal.error) for refusal in refused.value.refusals] == [
        (b"bad", "MessageSizeTooLargeError")
    ]
    taken = [batch.records for _, _, batch, _ in producer.handed_over if b"bad" not in [v for _, v in batch.records]]
    assert sorted(value for records in taken for _, value in records) == [b"1", b"2", b"3", b"4"]
