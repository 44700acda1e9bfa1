"""The receiver's metrics, declared once with their meaning."""

from typing import Final

from shared.metrics import counter, gauge, histogram
from shared.publisher import PublisherMetrics

# Meta wants a median under 250 ms and less than 1 % over 1 s (Meta: throughput), so both are bucket limits.
ANSWER_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

ANSWERS: Final = counter(
    "ingest_answers",
    "Answers to webhooks",
    outcome="`acknowledged`, `not_published`, `overloaded`, `signature_refused`, `identity_refused`, `too_slow`, "
    "`too_large`, `encoded`, `broken_off`",
)
ANSWER_LATENCY: Final = histogram(
    "ingest_answer_seconds", "From a webhook's headers to our answer; Meta's lines are 250 ms and 1 s", ANSWER_SECONDS
)
CONNECTIONS_REFUSED: Final = counter(
    "ingest_connections_refused",
    "Connections closed for what came before a request's body",
    reason="`too_many`, `malformed`, `headers_too_slow`, `headers_too_large`",
)
SIGNATURE_FAULTS: Final = counter(
    "ingest_signature_faults", "Signatures refused", reason="`missing`, `doubled`, `malformed`, `mismatch`"
)
SIGNATURES: Final = counter(
    "ingest_signatures",
    "Signatures accepted",
    secret="its position in META_APP_SECRETS, from 0",  # noqa: S106 -- a position  # nosec B106
)
SECRETS_READABLE: Final = gauge(
    "ingest_secrets_readable",
    "1 while secrets and verify tokens can be read, 0 while those read last are used",
    "livemin",
)
PUBLISHER: Final = PublisherMetrics(
    records=counter("ingest_records", "Records acknowledged by Kafka", topic="a `raw.` topic without its prefix"),
    latency=histogram(
        "ingest_publish_seconds", "From a record batch handed over to its acknowledgement", ANSWER_SECONDS
    ),
    failures=counter("ingest_publish_failures", "Record batches that Kafka did not acknowledge"),
)
IN_FLIGHT: Final = gauge("ingest_requests_in_flight", "Webhooks being handled", "livesum")
VERIFICATIONS: Final = counter(
    "ingest_verifications", "Meta's verification requests", outcome="`accepted`, `refused`, `overloaded`"
)
BROKER_REACHABLE: Final = gauge("ingest_broker_reachable", "1 while Kafka answers, else 0", "livemin")
