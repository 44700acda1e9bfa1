"""docs/metrics.md, from the metrics as the services declare them."""

from importlib import import_module

from shared.metrics import DECLARED, Declared, Kind

HEAD = """# Metrics

Both services serve their metrics at `/metrics` of the internal listener, in Prometheus's text format.
`ingest_service` with several workers adds them up. A label has few values: never a campaign, a number, a name or a
message id. This page is written by `make docs` from the declarations in `ingest_service/metrics.py` and
`status_service/metrics.py`.

A counter only grows and begins anew with its process; a histogram `NAME` is read as `NAME_bucket`, `NAME_sum` and
`NAME_count`.
"""
SERVICES = {"ingest_service": "ingest_", "status_service": "status_"}


def declared(service: str) -> list[Declared]:
    """Give a service's metrics, in the order in which it declares them."""
    import_module(f"{service}.metrics")
    return [metric for metric in DECLARED if metric.name.startswith(SERVICES[service])]


def written() -> str:
    chapters = [f"## {service}\n\n" + "\n".join(_table(declared(service))) for service in SERVICES]
    return HEAD + "\n" + "\n\n".join(chapters) + "\n"


def _table(metrics: list[Declared]) -> list[str]:
    rows = ["| Metric | Kind | Unit | Meaning | Labels |", "| --- | --- | --- | --- | --- |"]
    for metric in metrics:
        labels = "; ".join(f"`{name}`: {values}" for name, values in metric.labels.items()) or "none"
        kind = metric.kind.value
        if metric.kind is Kind.HISTOGRAM:
            kind += f", buckets {', '.join(f'{limit:g}' for limit in metric.buckets)}"
        rows.append(f"| `{metric.name}` | {kind} | {metric.unit} | {metric.meaning} | {labels} |")
    return rows
