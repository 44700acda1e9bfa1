"""Every Kafka topic, declared once; producers, consumers and the `topics` command read this."""

from dataclasses import dataclass
from typing import Final

PARTITIONS: Final = 12

MEBIBYTE: Final = 1024 * 1024
DAY_MS: Final = 24 * 60 * 60 * 1000

# Above the largest webhook body the receiver takes (MAX_BODY_BYTES, at most 6 MiB), and room around it.
LARGE_MESSAGE_BYTES: Final = 8 * MEBIBYTE


@dataclass(frozen=True, slots=True, eq=False)  # each is declared once, and many are looked up by the second
class Topic:
    """One topic without its prefix; retention in milliseconds, None for a compacted topic."""

    suffix: str
    retention_ms: int | None
    max_message_bytes: int = MEBIBYTE

    def name(self, prefix: str) -> str:
        return prefix + self.suffix

    def configuration(self, min_insync_replicas: int) -> dict[str, str]:
        """Give the topic's settings under Kafka's own names."""
        settings = {
            "max.message.bytes": str(self.max_message_bytes),
            "min.insync.replicas": str(min_insync_replicas),
        }
        if self.retention_ms is None:
            return settings | {"cleanup.policy": "compact"}
        return settings | {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}


# Meta's words. Statuses and changes are kept for twice the seven days that Meta retries.
RAW_STATUS: Final = Topic("raw.status", 14 * DAY_MS, LARGE_MESSAGE_BYTES)
RAW_INBOUND: Final = Topic("raw.inbound", 7 * DAY_MS, LARGE_MESSAGE_BYTES)
RAW_TEMPLATE: Final = Topic("raw.template", 14 * DAY_MS, LARGE_MESSAGE_BYTES)
RAW_ACCOUNT: Final = Topic("raw.account", 14 * DAY_MS, LARGE_MESSAGE_BYTES)
RAW_OTHER: Final = Topic("raw.other", 7 * DAY_MS, LARGE_MESSAGE_BYTES)
RAW_UNROUTABLE: Final = Topic("raw.unroutable", 14 * DAY_MS, LARGE_MESSAGE_BYTES)

# Ours.
STATUS_SENT: Final = Topic("status.sent", 7 * DAY_MS)
STATUS_DELIVERED: Final = Topic("status.delivered", 7 * DAY_MS)
STATUS_READ: Final = Topic("status.read", 7 * DAY_MS)
STATUS_FAILED: Final = Topic("status.failed", 7 * DAY_MS)
CAMPAIGN: Final = Topic("campaign", None)
TEMPLATE: Final = Topic("template", 7 * DAY_MS)
ACCOUNT: Final = Topic("account", 7 * DAY_MS)
UNMATCHED: Final = Topic("unmatched", 7 * DAY_MS)
DEAD_LETTER: Final = Topic("dead-letter", 30 * DAY_MS, LARGE_MESSAGE_BYTES)

RAW_TOPICS: Final = (RAW_STATUS, RAW_INBOUND, RAW_TEMPLATE, RAW_ACCOUNT, RAW_OTHER, RAW_UNROUTABLE)
# What status_service publishes.
EVENT_TOPICS: Final = (
    STATUS_SENT,
    STATUS_DELIVERED,
    STATUS_READ,
    STATUS_FAILED,
    CAMPAIGN,
    TEMPLATE,
    ACCOUNT,
    UNMATCHED,
    DEAD_LETTER,
)
TOPICS: Final = (*RAW_TOPICS, *EVENT_TOPICS)
# What status_service reads.
CONSUMED_TOPICS: Final = (RAW_STATUS, RAW_TEMPLATE, RAW_ACCOUNT)
