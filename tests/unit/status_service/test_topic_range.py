"""How long a part of a topic waits for Kafka: as long as it said, and not for what others take."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition

from shared.kafka import KafkaUnavailableError
from status_service import topic_range
from status_service.topic_range import TopicRange

PLACE = TopicPartition("topic", 0)
DEADLINE_SECONDS = 0.3


class Record(NamedTuple):
    """What is read of aiokafka's record."""

    offset: int
    topic: str = PLACE.topic
    partition: int = PLACE.partition
    timestamp: int = 0


class Consumer:
    """Stands in for aiokafka's consumer: two records, with empty polls between; then nothing."""

    def __init__(self, polls: list[list[Record]], end: int) -> None:
        self._polls: Iterator[list[Record]] = iter(polls)
        self._end = end

    async def getmany(self, **_limits: Any) -> Mapping[TopicPartition, list[Record]]:
        await asyncio.sleep(0)
        records = next(self._polls, [])
        return {PLACE: records} if records else {}

    def highwater(self, _place: TopicPartition) -> int:
        return self._end


@pytest.fixture(autouse=True)
def _short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_range, "ANSWER_DEADLINE_SECONDS", DEADLINE_SECONDS)


async def test_long_work_between_two_polls_is_not_kafkas_silence() -> None:
    part = TopicRange(Consumer([[Record(0)], [], [Record(1)]], end=2), [PLACE], None, None)
    read = []
    async for records in part.batches(1):
        if records:
            await asyncio.sleep(DEADLINE_SECONDS * 1.5)
        read += [record.offset for record in records]
    assert read == [0, 1]


async def test_a_broker_that_gives_nothing_is_away() -> None:
    part = TopicRange(Consumer([[Record(0)]], end=2), [PLACE], None, None)
    with pytest.raises(KafkaUnavailableError, match="Kafka gave nothing"):
        async for _ in part.batches(1):
            pass
