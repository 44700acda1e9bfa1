"""`dead-letters`: what lies there, and back to where it came from."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord

from shared import envelope
from shared.publisher import Publisher, RefusedError
from shared.raw import rfc3339
from shared.records import Record
from shared.topics import CONSUMED_TOPICS, DEAD_LETTER, RAW_UNROUTABLE, TOPICS, Topic
from status_service import topic_range
from status_service.dead_letters import (
    DETAIL,
    OF_DEAD_LETTERS,
    ORIGIN_TOPIC,
    REASON,
    REDRIVEN,
    DeadLetters,
    redriven,
)
from status_service.progress import Progress
from status_service.settings import KafkaCommandSettings
from status_service.topic_range import TopicRange

# A record that comes back so often comes back for ever.
REDRIVES_AT_MOST: Final = 3
AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant: a reason with `*` and `?` as wildcards, and when they were written."""

    reason: str = "*"
    since: datetime | None = None
    until: datetime | None = None

    @property
    def by_time(self) -> bool:
        return self.since is not None or self.until is not None


class Letter(NamedTuple):
    """What may be said of a dead letter to anybody: nothing of its key or value."""

    at: datetime
    reason: str
    detail: str
    origin: str
    size: int
    redriven: int


@dataclass(slots=True)
class Redriven:
    """What became of the letters: published again, by topic; left to the loop guard; left because nothing helps.

    Those that Kafka refuses are dead letters again.
    """

    published: Counter[str] = field(default_factory=Counter)
    guarded: int = 0
    left: int = 0
    refused: int = 0


async def letters(settings: KafkaCommandSettings, wanted: Filter, progress: Progress) -> AsyncIterator[Letter]:
    """Give the dead letters, oldest first within a partition. Raises KafkaUnavailableError."""
    async with topic_range.opened(settings, DEAD_LETTER, wanted.since, wanted.until) as part:
        async for records in part.batches(AT_ONCE):
            for record in records:
                texts = {name: value.decode("utf-8", "replace") for name, value in record.headers}
                if fnmatchcase(texts.get(REASON, ""), wanted.reason):
                    places = (texts.get(name, "") for name in (ORIGIN_TOPIC, "origin_partition", "origin_offset"))
                    yield Letter(
                        datetime.fromtimestamp(record.timestamp / 1000, UTC),
                        texts.get(REASON, ""),
                        texts.get(DETAIL, ""),
                        "/".join(filter(None, places)),
                        len(record.value or b""),
                        redriven(record),
                    )
            progress(part.read, part.total)


async def redrive(
    settings: KafkaCommandSettings, publisher: Publisher, wanted: Filter, progress: Progress, *, dry_run: bool
) -> Redriven:
    """Publish dead letters to the topics they came from. Raises KafkaUnavailableError, NotPublishedError.

    Without times, a consumer group for the reason keeps what was redriven before; with times, all of them are.
    """
    outcome = Redriven()

    def again(record: ConsumerRecord) -> list[Record]:
        headers = dict(record.headers)
        if not fnmatchcase(headers.get(REASON, b"").decode("utf-8", "replace"), wanted.reason):
            return []
        origin = _topic(headers.get(ORIGIN_TOPIC, b"").decode("utf-8", "replace"), settings.topic_prefix)
        if origin is None:
            outcome.left += 1
        elif redriven(record) >= REDRIVES_AT_MOST:
            outcome.guarded += 1
        else:
            return [_again(origin, record)]
        return []

    group = None if wanted.by_time else f"{settings.consumer_group}.redrive.{wanted.reason}"
    async with topic_range.opened(settings, DEAD_LETTER, wanted.since, wanted.until, group) as part:
        await _drive(
            part, again, publisher, outcome, settings.topic_prefix, progress, kept=group is not None, dry_run=dry_run
        )
    return outcome


async def redrive_unroutable(
    settings: KafkaCommandSettings, publisher: Publisher, wanted: Filter, progress: Progress, *, dry_run: bool
) -> Redriven:
    """Split unroutable bodies anew, as a receiver does that has learnt to. Raises as redrive()."""
    outcome = Redriven()

    def again(record: ConsumerRecord) -> list[Record]:
        received_at = rfc3339(datetime.fromtimestamp(record.timestamp / 1000, UTC))
        split = envelope.split(record.value or b"", received_at)
        routable = [one for one in split if one.topic is not RAW_UNROUTABLE]
        outcome.left += len(routable) < len(split)
        return routable

    group = None if wanted.by_time else f"{settings.consumer_group}.redrive.unroutable"
    async with topic_range.opened(settings, RAW_UNROUTABLE, wanted.since, wanted.until, group) as part:
        await _drive(
            part, again, publisher, outcome, settings.topic_prefix, progress, kept=group is not None, dry_run=dry_run
        )
    return outcome


async def _drive(  # noqa: PLR0917 -- the parts of one loop
    part: TopicRange,
    again: Callable[[ConsumerRecord], list[Record]],
    publisher: Publisher,
    outcome: Redriven,
    topic_prefix: str,
    progress: Progress,
    *,
    kept: bool,
    dry_run: bool,
) -> None:
    """Publish what each record becomes; the reading's group keeps how far that went, if it is kept."""
    async for records in part.batches(AT_ONCE):
        wanted = [one for record in records for one in again(record)]
        await _publish(publisher, wanted, outcome, topic_prefix, dry_run=dry_run)
        if kept and records and not dry_run:
            await part.commit()
        progress(part.read, part.total)


async def _publish(
    publisher: Publisher, records: list[Record], outcome: Redriven, topic_prefix: str, *, dry_run: bool
) -> None:
    outcome.published.update(record.topic.suffix for record in records)
    if dry_run:
        return
    try:
        await publisher.publish(records)
    except RefusedError as refused:
        await DeadLetters(publisher, topic_prefix).publish_refused(refused.refusals)
        outcome.refused += len(refused.refusals)
        outcome.published.subtract(refusal.record.topic.suffix for refusal in refused.refusals)


def _again(origin: Topic, record: ConsumerRecord) -> Record:
    """Give the record as it was; one for the consumer says how often it came back."""
    headers = [header for header in record.headers if header[0] not in OF_DEAD_LETTERS]
    if origin in CONSUMED_TOPICS:
        headers.append((REDRIVEN, str(redriven(record) + 1).encode()))
    return Record(origin, record.key, record.value or b"", headers)


def _topic(name: str, prefix: str) -> Topic | None:
    return next((topic for topic in TOPICS if topic.name(prefix) == name and topic is not DEAD_LETTER), None)
