"""The pages that are made of declarations are as `make docs` writes them."""

import re

import pytest
from prometheus_client import REGISTRY

from shared.metrics import DECLARED
from tests.documents import metrics
from tests.documents.__main__ import PAGES, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_metric_is_declared_with_its_meaning() -> None:
    declared = {metric.name for service in metrics.SERVICES for metric in metrics.declared(service)}
    collected = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in REGISTRY.collect()
        if family.name.startswith(tuple(metrics.SERVICES.values()))
    }
    assert declared == collected
    assert len(declared) == len([metric for metric in DECLARED if metric.name in declared])


def test_labels_are_few_and_name_nobody() -> None:
    labels = {name for metric in DECLARED for name in metric.labels}
    assert labels == {
        "count", "field", "outcome", "reason", "secret", "topic", "value", "work",
    }  # fmt: skip
    assert all(re.search(r"`|position|SQLSTATE|topic|field", said) for one in DECLARED for said in one.labels.values())
