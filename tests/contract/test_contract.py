"""What differs from the contract is found, each difference by itself."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.contract import faults
from tests.contract.examples import example_of, record_of

SENT, FAILED, RAW, TEMPLATE = "status.sent", "status.failed", "raw.status", "template"
MESSAGE_ID = example_of(SENT)["payload"]["message_id"]


def found(suffix: str, change: Callable[[dict[str, Any]], object], **fields: Any) -> list[str]:
    """Give the faults of an example that was changed: its payload or headers by `change`, its record by `fields`."""
    example = copy.deepcopy(example_of(suffix))
    example.setdefault("headers", {})
    change(example)
    record = record_of(suffix, example["payload"], example["headers"], MESSAGE_ID)
    return faults(dataclasses.replace(record, **fields))


@pytest.mark.parametrize(
    ("suffix", "change", "fault"),
    [
        (SENT, lambda example: example["payload"].update(status="lost"), "value status"),
        (SENT, lambda example: example["payload"].update(status="pending"), "value status"),
        (SENT, lambda example: example["payload"].update(sent_at=None), "value sent_at"),
        (SENT, lambda example: example["payload"].update(delivered_at="2026-10-01T00:01:35"), "value delivered_at"),
        (SENT, lambda example: example["payload"].update(delivered_at="2026-10-01T00:01:35+02:00"), "value delivered"),
        (SENT, lambda example: example["payload"].update(campaign_id="42"), "value campaign_id"),
        (SENT, lambda example: example["payload"].update(extra=1), "extra"),
        (SENT, lambda example: example["payload"].pop("user_id"), "user_id"),
        (SENT, lambda example: example["payload"].update(implied=0), "value implied"),
        (SENT, lambda example: example["payload"].update(error={"code": 131026}), "value error"),
        (SENT, lambda example: example["headers"].pop("ce_id"), "ce_id"),
        (SENT, lambda example: example["headers"].update(ce_id="9a0b6f0e-5d1c-4e5e-8f3e-2d1f6c1b7a10"), "header ce_id"),
        (SENT, lambda example: example["headers"].update(ce_type="whatsapp.status.read"), "header ce_type"),
        (SENT, lambda example: example["headers"].update(ce_time="2026-10-01T00:01:36+00:00"), "header ce_time"),
        (SENT, lambda example: example["headers"].update(ce_subject="x"), "ce_subject"),
        (SENT, lambda example: example["payload"].update(message_id="another"), "key: not what the value says"),
        (SENT, lambda example: example["payload"].update(error={"code": None, "message": None}), "value error"),
        (FAILED, lambda example: example["payload"].update(status="sent"), "value status"),
        (FAILED, lambda example: example["payload"].update(error=None), "value error"),
        (TEMPLATE, lambda example: example["payload"].update(value="REJECTED"), "value value"),
        (TEMPLATE, lambda example: example["payload"].update(fact="category"), "value value"),
        (TEMPLATE, lambda example: example["payload"].update(matched=False), "value rows"),
        (TEMPLATE, lambda example: example["payload"].update(rows={}), "value rows"),
        (TEMPLATE, lambda example: example["payload"].update(at="2026-10-01T00:03:01+00:00"), "header ce_time"),
        (RAW, lambda example: example["payload"].update(received_at="today"), "value received_at"),
        (RAW, lambda example: example["payload"].update(status=[]), "value status"),
        (RAW, lambda example: example["payload"].update(extra=1), "extra"),
        (RAW, lambda example: example["headers"].update(traceparent="00"), "header"),
    ],
)
def test_a_difference_is_found(suffix: str, change: Callable[[dict[str, Any]], object], fault: str) -> None:
    differences = found(suffix, change)
    assert any(fault in text for text in differences), differences


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"partition": 12}, "partition: not"),
        ({"key": b"\xff"}, "key: no UTF-8"),
        ({"key": None}, "key"),
        ({"value": b"{"}, "value: no JSON"),
        ({"value": None}, "value: no JSON"),
        ({"value": b'{"a": NaN}'}, "value: no JSON"),
        ({"headers": [("ce_id", b"\xff")]}, "header ce_id: no UTF-8"),
        ({"headers": [("ce_id", b"1"), ("ce_id", b"1")]}, "header ce_id: more than once"),
        ({"topic": "whatsapp.nowhere"}, "nothing is published here"),
        ({"topic": "status.sent"}, "nothing is published here"),
    ],
)
def test_a_wrong_record_is_found(fields: dict[str, Any], fault: str) -> None:
    differences = found(SENT, lambda _: None, **fields)
    assert any(fault in text for text in differences), differences


def test_another_prefix_and_partition_count() -> None:
    example = example_of(SENT)
    record = record_of(SENT, example["payload"], example["headers"], MESSAGE_ID)
    moved = dataclasses.replace(record, topic="own.status.sent", partition=0)
    assert faults(moved, prefix="own.", partitions=1) == []


def test_a_cut_emoji_in_metas_words_is_no_fault() -> None:
    example = copy.deepcopy(example_of(RAW))
    example["payload"]["status"]["errors"] = [{"title": "cut \ud83d"}]
    assert faults(record_of(RAW, example["payload"], {}, MESSAGE_ID)) == []


def test_a_body_that_could_not_be_split_has_neither_key_nor_headers() -> None:
    assert faults(record_of("raw.unroutable", "<")) == []
    assert len(faults(record_of("raw.unroutable", "<", {"reason": "odd"}, "key"))) == 3
