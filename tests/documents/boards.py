"""What the dashboards show: one for operators and one for campaign people."""

from collections.abc import Sequence
from dataclasses import dataclass

EVENTS = 'status_events_total{{topic="status.{}"}}'


@dataclass(frozen=True, slots=True)
class Query:
    """What a panel shows; the legend names labels as Grafana does."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph: what it shows and means; the unit is one of Grafana's, the line where it is no longer well."""

    title: str
    meaning: str
    queries: Sequence[Query]
    unit: str = "short"
    line: float | None = None


@dataclass(frozen=True, slots=True)
class Board:
    uid: str
    title: str
    meaning: str
    rows: Sequence[tuple[str, Sequence[Panel]]]


def quantile(which: float, metric: str) -> str:
    return f"histogram_quantile({which}, sum by (le) (rate({metric}_bucket[5m])))"


def share(part: str, whole: str) -> str:
    return f"sum(rate({part}[15m])) / sum(rate({whole}[15m]))"


OPERATORS = Board(
    "prime-sms-operators",
    "Prime SMS webhooks: operators",
    "Whether webhooks are kept, and how far behind the tables are.",
    [
        (
            "Receiver",
            [
                Panel(
                    "Answers",
                    "By what became of the webhook. Everything but acknowledged comes again.",
                    [Query("outcome:ingest_answers:rate5m", "{{outcome}}")],
                    "reqps",
                ),
                Panel(
                    "Time to answer",
                    "Meta wants a median under 250 ms, and less than 1 % above 1 s.",
                    [
                        Query("ingest:answer_seconds:p50_5m", "median"),
                        Query(quantile(0.99, "ingest_answer_seconds"), "99 %"),
                    ],
                    "s",
                    0.25,
                ),
                Panel(
                    "Not kept",
                    "The share of signed webhooks that are answered 503.",
                    [Query("ingest:answers_not_kept:ratio5m", "answered 503")],
                    "percentunit",
                    0.01,
                ),
                Panel(
                    "In flight",
                    "Webhooks that wait for Kafka.",
                    [Query("sum(ingest_requests_in_flight)", "webhooks")],
                ),
                Panel(
                    "Refused before they are read",
                    "Signatures and connections, by reason.",
                    [
                        Query("sum by (reason) (rate(ingest_signature_faults_total[5m]))", "signature {{reason}}"),
                        Query("sum by (reason) (rate(ingest_connections_refused_total[5m]))", "connection {{reason}}"),
                    ],
                    "reqps",
                ),
                Panel(
                    "Kafka's acknowledgement",
                    "From a record batch handed over to its acknowledgement, 99 %.",
                    [
                        Query(quantile(0.99, "ingest_publish_seconds"), "receiver"),
                        Query(quantile(0.99, "status_publish_seconds"), "consumer"),
                    ],
                    "s",
                ),
            ],
        ),
        (
            "Consumer",
            [
                Panel(
                    "Behind, in seconds",
                    "How old what is being read is; 0 when there is nothing more to read.",
                    [Query("topic:status_consumer_lag_seconds:max", "{{topic}}")],
                    "s",
                    300,
                ),
                Panel("Behind, in records", "Waiting in Kafka.", [Query("topic:status_consumer_lag:sum", "{{topic}}")]),
                Panel(
                    "From the receiver to the row",
                    "Of a batch's oldest status.",
                    [
                        Query(quantile(0.5, "status_receipt_to_commit_seconds"), "median"),
                        Query("status:receipt_to_commit_seconds:p99_5m", "99 %"),
                    ],
                    "s",
                ),
                Panel("Statuses", "By Meta's value.", [Query("value:status_statuses:rate5m", "{{value}}")], "cps"),
                Panel(
                    "Messages",
                    "By what a batch did to them.",
                    [Query("sum by (outcome) (rate(status_messages_total[5m]))", "{{outcome}}")],
                    "cps",
                ),
                Panel(
                    "Time to apply a batch",
                    "From a folded batch to its commit.",
                    [
                        Query(quantile(0.5, "status_apply_seconds"), "median"),
                        Query(quantile(0.99, "status_apply_seconds"), "99 %"),
                    ],
                    "s",
                ),
                Panel(
                    "Applied again",
                    "By SQLSTATE: 55P03 and 40P01 are others' locks, 08 and 57 outages.",
                    [Query("sum by (reason) (rate(status_apply_retries_total[5m]))", "{{reason}}")],
                    "cps",
                ),
                Panel(
                    "Changes of templates, numbers and accounts",
                    "By what became of them.",
                    [Query("sum by (outcome) (increase(status_changes_total[1h]))", "{{outcome}}")],
                ),
                Panel(
                    "Servers",
                    "1 while they answer.",
                    [
                        Query("min(ingest_broker_reachable)", "Kafka, receiver"),
                        Query("min(status_broker_reachable)", "Kafka, consumer"),
                        Query("min(status_database_reachable)", "PostgreSQL"),
                    ],
                ),
            ],
        ),
        (
            "What waits, and what went wrong",
            [
                Panel(
                    "Parked", "Statuses whose row is not there yet.", [Query("max(status_parked_messages)", "messages")]
                ),
                Panel(
                    "Parked for",
                    "The oldest of them.",
                    [Query("max(status_parked_oldest_seconds)", "oldest")],
                    "s",
                    7200,
                ),
                Panel(
                    "Outbox", "Entries that Kafka does not have yet.", [Query("sum(status_outbox_backlog)", "entries")]
                ),
                Panel(
                    "Dead letters",
                    "By reason, in an hour.",
                    [Query("sum by (reason) (increase(status_dead_letters_total[1h]))", "{{reason}}")],
                ),
                Panel(
                    "Kept whole",
                    "Bodies that could not be split, in an hour.",
                    [Query('sum(increase(ingest_records_total{topic="raw.unroutable"}[1h]))', "bodies")],
                ),
                Panel(
                    "Drift",
                    "Messages by which recounts found counts wrong, in an hour: what the platform wrote uncounted.",
                    [Query("sum by (count) (increase(status_count_drift_total[1h]))", "{{count}}")],
                ),
                Panel(
                    "Failed background work",
                    "In an hour.",
                    [Query("sum by (work) (increase(status_background_failures_total[1h]))", "{{work}}")],
                ),
            ],
        ),
    ],
)

CAMPAIGNS = Board(
    "prime-sms-campaigns",
    "Prime SMS webhooks: campaigns",
    "What becomes of messages, over all campaigns, and how fresh what you see is. Single campaigns are in the tables.",
    [
        (
            "Messages",
            [
                Panel(
                    "What became true",
                    "Messages a minute that were found to be sent, delivered, read or failed.",
                    [
                        Query(
                            'sum by (topic) (rate(status_events_total{topic=~"status[.].*"}[5m])) * 60',
                            "{{topic}}",
                        )
                    ],
                ),
                Panel(
                    "Delivered and read",
                    "Of the messages that were sent, in the last quarter of an hour.",
                    [
                        Query(
                            share(
                                'status_events_total{topic="status.delivered"}',
                                'status_events_total{topic="status.sent"}',
                            ),
                            "delivered",
                        ),
                        Query(
                            share(
                                'status_events_total{topic="status.read"}', 'status_events_total{topic="status.sent"}'
                            ),
                            "read",
                        ),
                    ],
                    "percentunit",
                ),
                Panel(
                    "Failed",
                    "Of the messages that were sent or failed, in the last quarter of an hour.",
                    [
                        Query(
                            share(EVENTS.format("failed"), 'status_events_total{topic=~"status.(sent|failed)"}'),
                            "failed",
                        )
                    ],
                    "percentunit",
                    0.1,
                ),
            ],
        ),
        (
            "How fresh this is",
            [
                Panel(
                    "From WhatsApp to us",
                    "Between Meta's time for a status and its arrival; its oldest in a batch, half of the batches.",
                    [Query(quantile(0.5, "status_webhook_age_seconds"), "median")],
                    "s",
                    600,
                ),
                Panel(
                    "From us to the dashboard",
                    "Between a webhook's arrival and the row in the database, 99 %.",
                    [Query("status:receipt_to_commit_seconds:p99_5m", "99 %")],
                    "s",
                ),
                Panel(
                    "Statuses that wait for their message",
                    "The platform has not written the row yet, or somebody else sent the message.",
                    [Query("max(status_parked_messages)", "messages")],
                ),
            ],
        ),
    ],
)
BOARDS = {"operators.json": OPERATORS, "campaigns.json": CAMPAIGNS}
