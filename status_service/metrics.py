"""The consumer's metrics, declared once with their meaning."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from shared.publisher import PublisherMetrics

STATUSES: Final = Counter("status_statuses", "Statuses read from Kafka, by Meta's value", ["value"])
TIMESTAMPS_REPLACED: Final = Counter(
    "status_timestamps_replaced",
    "Statuses and changes whose time was no number or could not be true; that of the receipt stands in",
)
DEAD_LETTERS: Final = Counter(
    "status_dead_letters", "Records that could not be applied or published, by reason", ["reason"]
)
EVENTS: Final = Counter("status_events", "Events published, by topic without its prefix", ["topic"])
OUTBOX_BACKLOG: Final = Gauge("status_outbox_backlog", "Outbox entries that this process is publishing")
PARKED: Final = Counter("status_parked_outcomes", "Parked messages that left, by what became of them", ["outcome"])
PARKED_MESSAGES: Final = Gauge("status_parked_messages", "Parked messages; an estimate beyond 100,000")
PARKED_AGE: Final = Gauge("status_parked_oldest_seconds", "Age of the oldest parked message, in seconds")
DRIFT: Final = Counter("status_count_drift", "Messages by which a recount found a count wrong, by the count", ["count"])
FALLEN: Final = Counter("status_fallen_rows", "Rows that somebody set below their evidence, repaired by a recount")
BACKGROUND_FAILURES: Final = Counter(
    "status_background_failures", "Failed steps of background work, by the work", ["work"]
)
PUBLISHER: Final = PublisherMetrics(
    records=Counter("status_records", "Records acknowledged by Kafka, by topic without its prefix", ["topic"]),
    latency=Histogram(
        "status_publish_seconds",
        "From a record batch handed over to its acknowledgement, in seconds",
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    ),
    failures=Counter("status_publish_failures", "Record batches that Kafka did not acknowledge"),
)
MESSAGES: Final = Counter("status_messages", "Messages of a batch after folding, by what became of them", ["outcome"])
CHANGES: Final = Counter(
    "status_changes",
    "Changes of templates, numbers and accounts, by Meta's field and what became of them; one that holds something "
    "unknown beside what is known counts twice",
    ["field", "outcome"],
)
BATCH_SIZE: Final = Histogram(
    "status_batch_statuses", "Statuses in a batch", buckets=(1, 10, 100, 500, 1000, 2000, 5000, 10_000, 50_000)
)
APPLY_LATENCY: Final = Histogram(
    "status_apply_seconds",
    "From a folded batch to its commit in PostgreSQL, in seconds",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
STATUS_LATENCY: Final = Histogram(
    "status_receipt_to_commit_seconds",
    "From the receiver's receipt of a batch's oldest status to its commit in PostgreSQL, in seconds",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0),
)
APPLY_RETRIES: Final = Counter("status_apply_retries", "Batches applied again, by the SQLSTATE or error", ["reason"])
COMMIT_FAILURES: Final = Counter(
    "status_offset_commit_failures", "Offsets not committed; their statuses are read again"
)
LAG: Final = Gauge(
    "status_consumer_lag", "Records in Kafka that the assigned partitions have yet to read, by topic", ["topic"]
)
BROKER_REACHABLE: Final = Gauge("status_broker_reachable", "1 while Kafka answers, else 0")
DATABASE_REACHABLE: Final = Gauge("status_database_reachable", "1 while PostgreSQL answers, else 0")
