"""A part of a topic on the real broker: where it begins and ends, and that it always comes to its end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from shared.settings import ServiceSettings
from shared.topics import Topic
from status_service import topic_range
from status_service.topic_range import TopicRange
from tests.integration.environment import Environment

# Kafka's times are in milliseconds.
EARLY, MIDDLE, LATE = 1_790_812_812_000, 1_790_812_812_500, 1_790_812_813_000

# Of such records a fetch gives nine.
LARGE = 900_000


@dataclass(frozen=True, slots=True)
class Log:
    """A topic of three partitions."""

    settings: ServiceSettings
    topic: Topic
    producer: AIOKafkaProducer
    admin: AIOKafkaAdminClient

    @property
    def name(self) -> str:
        return self.topic.name(self.settings.topic_prefix)

    async def put(self, partition: int, values: str, at: int = EARLY) -> None:
        """Produce a record for each character."""
        for value in values:
            await self.producer.send_and_wait(self.name, value.encode(), partition=partition, timestamp_ms=at)

    async def delete_before(self, partition: int, offset: int) -> None:
        """Take records away, as retention does."""
        places = {TopicPartition(self.name, partition): RecordsToDelete(before_offset=offset)}
        await self.admin.delete_records(places)

    def opened(
        self, since: int | None = None, until: int | None = None, group: str | None = None
    ) -> AbstractAsyncContextManager[TopicRange]:
        return topic_range.opened(self.settings, self.topic, _moment(since), _moment(until), group)


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


@pytest.fixture(scope="module")
def settings(environment: Environment) -> ServiceSettings:
    return ServiceSettings(kafka_bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"], topic_prefix="range.")


@pytest.fixture(scope="module")
async def producer(settings: ServiceSettings) -> AsyncIterator[AIOKafkaProducer]:
    client = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await client.start()
    yield client
    await client.stop()


@pytest.fixture(scope="module")
async def admin(settings: ServiceSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.start()
    yield client
    await client.close()


@pytest.fixture(scope="module")
def create(
    settings: ServiceSettings, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> Callable[[], Awaitable[Log]]:
    async def created() -> Log:
        made = Log(settings, Topic(uuid4().hex, None), producer, admin)
        await admin.create_topics([NewTopic(made.name, 3, 1)])
        return made

    return created


@pytest.fixture
async def log(create: Callable[[], Awaitable[Log]]) -> Log:
    return await create()


@pytest.fixture(scope="module")
async def filled(create: Callable[[], Awaitable[Log]]) -> Log:
    """Give records that are not in the order of their times, as several producers write; one partition has none."""
    made = await create()
    for value, at in (("a", EARLY), ("b", MIDDLE), ("c", EARLY), ("d", LATE)):
        await made.put(0, value, at)
    for value, at in (("e", LATE), ("f", MIDDLE), ("g", LATE)):
        await made.put(2, value, at)
    return made


async def values(part: TopicRange, records_at_once: int = 100) -> str:
    """Read to the end; give the values, each partition's in its order and the lower partition's first."""
    found: dict[int, str] = {}
    async for records in part.batches(records_at_once):
        for record in records:
            found[record.partition] = found.get(record.partition, "") + record.value.decode()
    assert part.read == part.total
    return "".join(found[partition] for partition in sorted(found))


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, "abcdefg"),
        (EARLY, None, "abcdefg"),
        (-1, None, "abcdefg"),
        (None, -1, ""),
        (EARLY + 1, None, "bdefg"),
        (MIDDLE, None, "bdefg"),
        (MIDDLE + 1, None, "deg"),
        (LATE + 1, None, ""),
        (None, EARLY, ""),
        (None, EARLY + 1, "ac"),
        (None, LATE, "abcf"),
        (MIDDLE, LATE, "bf"),
        (LATE, LATE, ""),
        (LATE, EARLY, ""),
        (LATE + 10**12, None, ""),
    ],
)
async def test_what_was_written_since_and_before(
    filled: Log, since: int | None, until: int | None, expected: str
) -> None:
    async with filled.opened(since, until) as part:
        assert await values(part) == expected


async def test_however_few_are_taken_at_once_none_is_missed(filled: Log) -> None:
    async with filled.opened(MIDDLE) as part:
        assert await values(part, records_at_once=1) == "bdefg"


async def test_an_empty_topic_has_an_end(log: Log) -> None:
    async with log.opened() as part:
        assert await values(part) == ""
        assert part.total == 0


async def test_what_comes_while_it_is_read_is_not_in_it(log: Log) -> None:
    # More than two fetches give: the second may be under way when the new ones come, the third brings them along.
    large = [letter.encode() * LARGE for letter in "abcdefghijklmnopqrst"]
    for value in large:
        await log.producer.send_and_wait(log.name, value, partition=0)
    found: list[bytes] = []
    async with log.opened() as part:
        async for records in part.batches(100):
            if records and not found:
                assert len(records) < len(large)
                await log.put(0, "new")
            found += (record.value for record in records)
        assert (part.read, part.total) == (len(large), len(large))
    assert found == large
    async with log.opened() as part:
        assert (await values(part)).endswith("new")


async def test_a_group_goes_on_where_it_was(log: Log) -> None:
    await log.put(0, "abc")
    await log.put(1, "de")
    group = uuid4().hex
    for _ in range(2):  # what is not committed is read again
        async with log.opened(group=group) as part:
            assert await values(part) == "abcde"
    taken = ""
    async with log.opened(group=group) as part:
        async for records in part.batches(2):
            taken += "".join(record.value.decode() for record in records)
            if taken:
                await part.commit()
                break
    async with log.opened(group=group) as part:
        taken += await values(part)
        await part.commit()
    assert sorted(taken) == sorted("abcde")
    await log.put(2, "f")
    async with log.opened(group=group) as part:
        assert await values(part) == "f"
        await part.commit()
    async with log.opened(group=group) as part:
        assert await values(part) == ""
    async with log.opened(group=uuid4().hex) as part:
        assert await values(part) == "abcdef"


@pytest.mark.parametrize("deleted", [1, 3, 5])
async def test_what_retention_took_is_passed_over(log: Log, deleted: int) -> None:
    await log.put(0, "ab")
    group = uuid4().hex
    async with log.opened(group=group) as part:
        assert await values(part) == "ab"
        await part.commit()
    await log.put(0, "cde")
    await log.delete_before(0, deleted)
    for since in (None, EARLY):
        async with log.opened(since) as part:
            assert await values(part) == "abcde"[deleted:]
    async with log.opened(group=group) as part:
        assert await values(part) == "abcde"[max(2, deleted) :]


async def test_a_deadline_of_whoever_reads_is_not_the_brokers(log: Log) -> None:
    with pytest.raises(TimeoutError, match="of PostgreSQL, say"):
        async with log.opened():
            raise TimeoutError("of PostgreSQL, say")
