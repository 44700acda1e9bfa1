"""Dead letters: records that cannot be applied, kept as they were, with the reason and where they came from."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka import ConsumerRecord

from shared.publisher import Publisher, Refusal
from shared.raw import rfc3339
from shared.records import Header, Record
from shared.topics import DEAD_LETTER
from status_service import metrics

# The share of dead letters is that of so many records, the newest ones.
WINDOW_RECORDS: Final = 10_000
# Headers of a dead letter.
REASON: Final = "reason"
DETAIL: Final = "detail"
ORIGIN_TOPIC: Final = "origin_topic"
DEAD_LETTERED_AT: Final = "dead_lettered_at"
REDRIVEN: Final = "redriven"
OF_DEAD_LETTERS: Final = frozenset(
    {REASON, DETAIL, ORIGIN_TOPIC, "origin_partition", "origin_offset", DEAD_LETTERED_AT, REDRIVEN}
)

log = structlog.get_logger(__name__)


class TooManyDeadLettersError(Exception):
    """So many records cannot be applied that the fault is rather ours; nothing of this batch was dead-lettered."""


class Brake:
    """Stops the service rather than let a bad deploy pour its whole traffic into the dead letters.

    It counts records in a run without a good one between, and their share of the newest WINDOW_RECORDS.
    """

    def __init__(self, run: int, share: float) -> None:
        self._run_limit = run
        self._share_limit = share
        self._run = 0
        self._window: deque[tuple[int, int]] = deque()
        self._records = 0
        self._bad = 0

    def check(self, records: int, bad_positions: Sequence[int]) -> None:
        """Count a batch of so many records, with the positions of the bad ones. Raises TooManyDeadLettersError."""
        next_position = 0
        for position in bad_positions:
            self._run = self._run + 1 if position == next_position else 1
            next_position = position + 1
            if self._run > self._run_limit:
                raise TooManyDeadLettersError(
                    f"more than DEAD_LETTER_RUN ({self._run_limit}) records in a row cannot be applied"
                )
        if next_position < records:
            self._run = 0
        self._window.append((records, len(bad_positions)))
        self._records += records
        self._bad += len(bad_positions)
        while self._records - self._window[0][0] >= WINDOW_RECORDS:
            oldest_records, oldest_bad = self._window.popleft()
            self._records -= oldest_records
            self._bad -= oldest_bad
        # Below the run's limit a share says nothing: the first record ever is all of them.
        if self._bad > max(self._run_limit, self._share_limit * self._records):
            raise TooManyDeadLettersError(
                f"more than DEAD_LETTER_SHARE ({self._share_limit:g}) of the last {self._records} records"
                " cannot be applied"
            )

    def bear(self, bad: int) -> None:
        """Judge a batch of which so many are bad already, before all of it is tried. Raises TooManyDeadLettersError."""
        if bad > max(self._run_limit, self._share_limit * WINDOW_RECORDS):
            raise TooManyDeadLettersError(f"{bad} records of one batch cannot be applied")


class DeadLetters:
    """Publishes dead letters."""

    def __init__(self, publisher: Publisher, topic_prefix: str) -> None:
        self._publisher = publisher
        self._prefix = topic_prefix

    async def publish(self, letters: Iterable[tuple[ConsumerRecord, str, str]]) -> None:
        """Return once Kafka has these records, each with its reason and a text for people. Raises NotPublishedError."""
        await self._publish(
            [
                Record(
                    DEAD_LETTER,
                    record.key,
                    record.value or b"",
                    _headers(reason, detail, _origin(record), redriven(record)),
                )
                for record, reason, detail in letters
            ]
        )

    async def publish_refused(self, refusals: Iterable[Refusal]) -> None:
        """Return once Kafka has the records of ours that it refused for their own topics. Raises NotPublishedError."""
        await self._publish(
            [
                Record(
                    DEAD_LETTER,
                    refused.key,
                    refused.value,
                    (
                        *refused.headers,
                        *_headers(
                            f"kafka_{error}",
                            "Kafka refuses this event",
                            (self._prefix + refused.topic.suffix, "", ""),
                            0,
                        ),
                    ),
                )
                for refused, error in refusals
            ]
        )

    async def _publish(self, records: list[Record]) -> None:
        await self._publisher.publish(records)
        for record in records:
            reason = dict(record.headers)[REASON].decode()
            metrics.DEAD_LETTERS.labels(reason).inc()
            log.warning("dead_letter", reason=reason)


def redriven(record: ConsumerRecord) -> int:
    """Tell how often a record was redriven already."""
    text = dict(record.headers).get(REDRIVEN, b"0")
    return int(text) if text.isdigit() else 0


def _origin(record: ConsumerRecord) -> tuple[str, str, str]:
    return record.topic, str(record.partition), str(record.offset)


def _headers(reason: str, detail: str, origin: tuple[str, str, str], times: int) -> tuple[Header, ...]:
    """Give a dead letter's own headers; its origin is topic, partition, offset."""
    topic, partition, offset = origin
    texts = {
        REASON: reason,
        DETAIL: detail,
        ORIGIN_TOPIC: topic,
        "origin_partition": partition,
        "origin_offset": offset,
        DEAD_LETTERED_AT: rfc3339(datetime.now(UTC)),
        REDRIVEN: str(times),
    }
    return tuple((name, text.encode()) for name, text in texts.items())
