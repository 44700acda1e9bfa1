"""The consumer's metrics, declared once with their meaning."""

from typing import Final

from shared.metrics import counter, gauge, histogram
from shared.publisher import PublisherMetrics

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG_SECONDS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)
# Meta retries for seven days.
DAYS_IN_SECONDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0, 86_400.0, 604_800.0)
SQLSTATE: Final = "a SQLSTATE, or the name of an error"

STATUSES: Final = counter(
    "status_statuses",
    "Statuses read from Kafka",
    value="`sent`, `delivered`, `read`, `played`, `failed`, `payment`, `deleted`, `warning`, `unknown`",
)
TIMESTAMPS_REPLACED: Final = counter(
    "status_timestamps_replaced",
    "Statuses and changes whose time was no number or could not be true; that of the receipt stands in",
)
WEBHOOK_AGE: Final = histogram(
    "status_webhook_age_seconds",
    "From Meta's time of a batch's oldest status to the receiver's receipt of it: Meta's own delay, and its retries",
    DAYS_IN_SECONDS,
)
MESSAGES: Final = counter(
    "status_messages",
    "Messages of a batch after folding",
    outcome="`changed`, `unchanged` (the rows said it already), `without_row` (parked), `locked` (parked)",
)
CHANGES: Final = counter(
    "status_changes",
    "Changes of templates, numbers and accounts; one that holds something unknown beside what is known counts twice",
    field="Meta's field, one of those of `raw.template` and `raw.account`",
    outcome="`applied`, `announced` (it begins later), `unchanged`, `without_row`, `without_effect`, `unknown`",
)
BATCH_SIZE: Final = histogram(
    "status_batch_statuses", "Statuses in a batch", (1, 10, 100, 500, 1000, 2000, 5000, 10_000, 50_000)
)
APPLY_LATENCY: Final = histogram("status_apply_seconds", "From a folded batch to its commit in PostgreSQL", SECONDS)
STATUS_LATENCY: Final = histogram(
    "status_receipt_to_commit_seconds",
    "From the receiver's receipt of a batch's oldest status to its commit in PostgreSQL",
    LONG_SECONDS,
)
APPLY_RETRIES: Final = counter("status_apply_retries", "Batches and changes applied again", reason=SQLSTATE)
COMMIT_FAILURES: Final = counter("status_offset_commit_failures", "Offsets not committed; their records are read again")
LAG: Final = gauge(
    "status_consumer_lag",
    "Records in Kafka that the assigned partitions have yet to read",
    topic="`raw.status`, `raw.template`, `raw.account`",
)
LAG_SECONDS: Final = gauge(
    "status_consumer_lag_seconds",
    "Age of the newest record that was read, while there are more to read; else 0",
    topic="`raw.status`, `raw.template`, `raw.account`",
)
PARKED_MESSAGES: Final = gauge("status_parked_messages", "Parked messages; an estimate beyond 100,000")
PARKED_AGE: Final = gauge("status_parked_oldest_seconds", "Age of the oldest parked message")
PARKED: Final = counter(
    "status_parked_outcomes", "Parked messages that left", outcome="`adopted` (the row is there), `expired`"
)
EVENTS: Final = counter("status_events", "Events published", topic="the topic without its prefix")
OUTBOX_BACKLOG: Final = gauge("status_outbox_backlog", "Outbox entries that this process is publishing")
PUBLISHER: Final = PublisherMetrics(
    records=counter("status_records", "Records acknowledged by Kafka", topic="the topic without its prefix"),
    latency=histogram("status_publish_seconds", "From a record batch handed over to its acknowledgement", SECONDS),
    failures=counter("status_publish_failures", "Record batches that Kafka did not acknowledge"),
)
DEAD_LETTERS: Final = counter(
    "status_dead_letters",
    "Records that could not be applied or published",
    reason="`undecodable`, `sqlstate_` and PostgreSQL's code, `kafka_` and an error's name",
)
DRIFT: Final = counter(
    "status_count_drift",
    "Messages by which a recount found a count wrong",
    count="`successful_sends`, `failed_sends`, `delivered_count`, `read_count`",
)
FALLEN: Final = counter("status_fallen_rows", "Rows that somebody set below their evidence, repaired by a recount")
BACKGROUND_FAILURES: Final = counter(
    "status_background_failures",
    "Failed steps of background work",
    work="`outbox_deletion`, `outbox_inheritance`, `campaign_events`, `adoption`, `expiry`, `parked_gauges`, "
    "`reconciliation`, `announced_changes`",
)
BROKER_REACHABLE: Final = gauge("status_broker_reachable", "1 while Kafka answers, else 0")
DATABASE_REACHABLE: Final = gauge("status_database_reachable", "1 while PostgreSQL answers, else 0")
