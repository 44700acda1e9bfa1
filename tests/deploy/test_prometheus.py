"""The rules and the configuration as Prometheus itself reads them: each alert fires when it should, and ends."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.metrics import Kind
from tests.conftest import ROOT
from tests.documents.boards import BOARDS
from tests.documents.metrics import SERVICES, declared
from tests.unavailable import PROMTOOL, prometheus

DIRECTORY = ROOT / "deploy" / "prometheus"
RULES = sorted((DIRECTORY / "rules").glob("*.yml"))
RUNBOOK = ROOT / "docs" / "runbook.md"
# What stands for a minute each: twenty bad ones, then forty good ones.
BAD, GOOD = 20, 40

ANSWERS = 'ingest_answers_total{{outcome="{}"}}'
BUCKET = 'ingest_answer_seconds_bucket{{le="{}"}}'
AGE = 'status_webhook_age_seconds_bucket{{le="{}"}}'


def counts(bad: float, good: float) -> str:
    """Give a counter that grows by so much a minute while it is bad, and by so much when it is good again."""
    return f"0+{bad:g}x{BAD} {bad * BAD + good:g}+{good:g}x{GOOD}"


def is_first(bad: float, then: float) -> str:
    return f"{bad:g}x{BAD} {then:g}x{GOOD}"


# What Prometheus has scraped, so that the alert fires within twenty minutes and is over forty later.
CASES: Mapping[str, Mapping[str, str]] = {
    "ReceiverDown": {'up{job="ingest_service"}': is_first(0, 1)},
    "ConsumerDown": {'up{job="status_service"}': is_first(0, 1)},
    "WebhooksNotKept": {
        ANSWERS.format("acknowledged"): counts(600, 600),
        ANSWERS.format("not_published"): counts(60, 0),
    },
    "ReceiverSlow": {
        BUCKET.format("0.1"): counts(100, 600),
        BUCKET.format("0.5"): counts(550, 600),
        BUCKET.format("1.0"): counts(580, 600),
        BUCKET.format("+Inf"): counts(600, 600),
        "ingest_answer_seconds_count": counts(600, 600),
    },
    "SignaturesRefused": {
        'ingest_signature_faults_total{reason="mismatch"}': f"0+100x{2 * BAD} {2 * BAD * 100:g}x{GOOD}",
        ANSWERS.format("acknowledged"): counts(600, 600),
    },
    "SecretsUnreadable": {"ingest_secrets_readable": is_first(0, 1)},
    "BodiesUnroutable": {'ingest_records_total{topic="raw.unroutable"}': f"0x5 1x{BAD + 4 * GOOD}"},
    "ConsumerBehind": {'status_consumer_lag_seconds{topic="raw.status"}': is_first(900, 0)},
    "DatabaseUnreachable": {"status_database_reachable": is_first(0, 1)},
    "BrokerUnreachable": {"ingest_broker_reachable": is_first(0, 1), "status_broker_reachable": is_first(0, 1)},
    "DeadLetters": {'status_dead_letters_total{reason="undecodable"}': counts(1, 0)},
    "EventsNotPublished": {"status_outbox_backlog": is_first(500, 3)},
    "ParkedForLong": {"status_parked_oldest_seconds": is_first(10_000, 10)},
    "BackgroundWorkFails": {'status_background_failures_total{work="adoption"}': f"0+10x{2 * BAD} 400x{2 * GOOD}"},
    "WebhooksLate": {
        AGE.format("600.0"): f"0+1x{2 * BAD} 40+100x{2 * GOOD}",
        AGE.format("3600.0"): f"0+100x{2 * BAD} 4000+100x{2 * GOOD}",
        AGE.format("+Inf"): f"0+100x{2 * BAD} 4000+100x{2 * GOOD}",
    },
}
# What nobody looks at every day.
NOT_SHOWN = {
    "ingest_publish_failures_total",
    "ingest_secrets_readable",
    "ingest_signatures_total",
    "ingest_verifications_total",
    "status_batch_statuses",
    "status_fallen_rows_total",
    "status_offset_commit_failures_total",
    "status_parked_outcomes_total",
    "status_publish_failures_total",
    "status_records_total",
    "status_timestamps_replaced_total",
}
# Those that look back further than the others.
FIRES_AT_MINUTES = {"SignaturesRefused": 2 * BAD, "BackgroundWorkFails": 2 * BAD, "WebhooksLate": 2 * BAD}
OVER_AT_MINUTES = {"BodiesUnroutable": 120}


def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [PROMTOOL, *arguments], cwd=DIRECTORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def _there_is_prometheus() -> None:
    if (reason := prometheus()) is not None:
        pytest.skip(reason)


@pytest.mark.usefixtures("_there_is_prometheus")
def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    assert "SUCCESS: 2 rule files found" in promtool("check", "config", "prometheus.yml")


@pytest.mark.usefixtures("_there_is_prometheus")
@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_and_ends(alert: str, tmp_path: Path) -> None:
    firing = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    fires, over = FIRES_AT_MINUTES.get(alert, BAD - 1), OVER_AT_MINUTES.get(alert, BAD + GOOD)
    test = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in CASES[alert].items()],
                "promql_expr_test": [
                    {"expr": firing, "eval_time": "0m", "exp_samples": []},
                    {"expr": firing, "eval_time": f"{fires}m", "exp_samples": [{"labels": "{}", "value": 1}]},
                    {"expr": firing, "eval_time": f"{over}m", "exp_samples": []},
                ],
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(json.dumps(test), encoding="utf-8")
    promtool("test", "rules", file)


def test_every_alert_is_tried() -> None:
    assert CASES.keys() == alerts().keys()


def test_every_alert_has_its_entry_in_the_runbook() -> None:
    entries = re.findall(r"^## (\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(entries) == sorted(alerts())
    for name, alert in alerts().items():
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert alert["annotations"]["summary"]
        assert alert["labels"]["severity"] in {"page", "ticket"}


def known_names() -> set[str]:
    """Give what can be asked for: the services' metrics, and what the rules record."""
    names = {"up"} | {rule["record"] for rule in rules() if "record" in rule}
    for service in SERVICES:
        for metric in declared(service):
            suffixes = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
            names |= {metric.name + suffix for suffix in suffixes}
    return names


def names_in(expression: str) -> set[str]:
    """Give the names of metrics; what is quoted, or an argument, is none."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\bby \([^)]*\)', "", expression)
    return set(re.findall(r"\b(?:up\b|(?:ingest|status|outcome|topic|value)[a-z_]*[:_][a-z0-9_:]+)", bare))


def test_rules_know_only_metrics_that_there_are() -> None:
    used = set().union(*(names_in(rule["expr"]) for rule in rules()))
    assert used - known_names() == set()
    assert len(used) > 15


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_knows_only_metrics_that_there_are(name: str) -> None:
    panels = [panel for _, row in BOARDS[name].rows for panel in row]
    used = set().union(*(names_in(query.expression) for panel in panels for query in panel.queries))
    assert used - known_names() == set()
    assert len({panel.title for panel in panels}) == len(panels)
    assert all(panel.meaning and names_in(query.expression) for panel in panels for query in panel.queries)


def test_the_dashboards_show_every_metric_that_matters_to_operators() -> None:
    shown = {
        name
        for board in BOARDS.values()
        for _, row in board.rows
        for panel in row
        for query in panel.queries
        for name in names_in(query.expression)
    }
    recorded = {rule["record"]: names_in(rule["expr"]) for rule in rules() if "record" in rule}
    shown |= set().union(*(recorded.get(name, set()) for name in shown))
    bases = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    missing = {metric.name for service in SERVICES for metric in declared(service)} - bases
    assert missing == NOT_SHOWN
