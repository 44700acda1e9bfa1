"""The receiver's metrics, declared once with their meaning."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from shared.publisher import PublisherMetrics

# Meta wants a median under 250 ms and less than 1 % over 1 s (Meta: throughput), so both are bucket limits.
ANSWER_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

ANSWERS: Final = Counter("ingest_answers", "Answers to webhooks, by outcome", ["outcome"])
ANSWER_LATENCY: Final = Histogram(
    "ingest_answer_seconds", "From a webhook's headers to our answer, in seconds", buckets=ANSWER_SECONDS
)
CONNECTIONS_REFUSED: Final = Counter(
    "ingest_connections_refused", "Connections closed for what came before a request's body, by reason", ["reason"]
)
SIGNATURE_FAULTS: Final = Counter("ingest_signature_faults", "Signatures refused, by reason", ["reason"])
SIGNATURES: Final = Counter("ingest_signatures", "Signatures accepted, by position in META_APP_SECRETS", ["secret"])
SECRETS_READABLE: Final = Gauge(
    "ingest_secrets_readable",
    "1 while secrets and verify tokens can be read, 0 while those read last are used",
    multiprocess_mode="livemin",
)
PUBLISHER: Final = PublisherMetrics(
    records=Counter("ingest_records", "Records acknowledged by Kafka, by topic without its prefix", ["topic"]),
    latency=Histogram(
        "ingest_publish_seconds",
        "From a record batch handed over to its acknowledgement, in seconds",
        buckets=ANSWER_SECONDS,
    ),
    failures=Counter("ingest_publish_failures", "Record batches that Kafka did not acknowledge"),
)
IN_FLIGHT: Final = Gauge("ingest_requests_in_flight", "Webhooks being handled", multiprocess_mode="livesum")
VERIFICATIONS: Final = Counter("ingest_verifications", "Meta's verification requests, by outcome", ["outcome"])
BROKER_REACHABLE: Final = Gauge("ingest_broker_reachable", "1 while Kafka answers, else 0", multiprocess_mode="livemin")
