"""Holds a record against docs/asyncapi.yaml."""

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import orjson
from aiokafka import ConsumerRecord
from jsonschema_rs import Draft202012Validator

from shared.partition import partition_of
from tests.contract.document import DOCUMENT, Node, channels, followed, message_of

PREFIX: Final = "whatsapp."
# A validator's message repeats what it looked at; a few words are enough to find it.
FAULT_LENGTH: Final = 300

Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every record of one topic; None where anything may be."""

    partitions: int
    payload: Draft202012Validator | None
    headers: Draft202012Validator
    key: Draft202012Validator | None
    key_places: Sequence[Place] | None
    time_place: Place | None


def faults(record: ConsumerRecord, prefix: str = PREFIX, partitions: int | None = None) -> list[str]:
    """Say where a record differs from what the document declares for its topic; nothing if all is well.

    `partitions` is the topic's number of them where that is not the declared one.
    """
    rules = _rules().get(record.topic.removeprefix(prefix)) if record.topic.startswith(prefix) else None
    if rules is None:
        found = ["nothing is published here"]
    else:
        found = list(_faults(record, rules, partitions or rules.partitions))
    return [f"{record.topic}/{record.partition}/{record.offset}: {fault}"[:FAULT_LENGTH] for fault in found]


def _faults(record: ConsumerRecord, rules: Rules, partitions: int) -> Iterator[str]:
    headers: dict[str, str] = {}
    for name, value in record.headers:
        if name in headers:
            yield f"header {name}: more than once"
        try:
            headers[name] = value.decode()
        except (UnicodeDecodeError, AttributeError):
            yield f"header {name}: no UTF-8"
    yield from _differences("header", rules.headers, headers)

    payload = None
    if rules.payload is not None:
        try:
            payload = _json(record.value)
        except (ValueError, TypeError, RecursionError) as error:
            yield f"value: no JSON: {error}"
            return
        yield from _differences("value", rules.payload, payload)

    yield from _key_faults(record, rules, payload)
    if record.key is not None and record.partition != partition_of(record.key, partitions):
        yield f"partition: not {partition_of(record.key, partitions)}, where its key belongs"
    if rules.time_place is not None and not _same_time(headers.get("ce_time"), _at(payload, rules.time_place)):
        yield f"header ce_time: not the value's {'/'.join(rules.time_place)}"


def _key_faults(record: ConsumerRecord, rules: Rules, payload: Any) -> Iterator[str]:
    if rules.key is not None:
        try:
            key = None if record.key is None else record.key.decode()
        except UnicodeDecodeError:
            yield "key: no UTF-8"
            return
        yield from _differences("key", rules.key, key)
    if rules.key_places is not None:
        texts = (_text(_at(payload, place)) for place in rules.key_places)
        expected = next((text for text in texts if text is not None), None)
        # A lone surrogate, which a cut text can hold, has no UTF-8.
        if record.key != (None if expected is None else expected.encode("utf-8", "replace")):
            yield "key: not what the value says"


def _differences(where: str, validator: Draft202012Validator, instance: Any) -> Iterator[str]:
    if not validator.is_valid(instance):
        for error in validator.iter_errors(instance):
            yield f"{where} {'/'.join(str(step) for step in error.instance_path)}: {error.message}"


def _json(value: bytes | None) -> Any:
    """Read JSON; orjson refuses the escape of a lone surrogate, which JSON's grammar allows."""
    try:
        return orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return json.loads(value or b"", parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def _at(payload: Any, place: Place) -> Any:
    for name in place:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def _same_time(header: str | None, value: Any) -> bool:
    try:
        return datetime.fromisoformat(header or "") == datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return False


@functools.cache
def _rules() -> dict[str, Rules]:
    return {name: _rules_of(channel, message_of(channel)) for name, channel in channels().items()}


def _rules_of(channel: Node, message: Node) -> Rules:
    kafka = followed(message.get("bindings", {})).get("kafka", {})
    return Rules(
        partitions=followed(channel["bindings"])["kafka"]["partitions"],
        payload=_validator(message["payload"]) if "payload" in message else None,
        headers=_validator(message["headers"]),
        key=_validator(kafka["key"]) if "key" in kafka else None,
        key_places=[_place(expression) for expression in message["x-key"]] if "x-key" in message else None,
        time_place=_place(message["x-time"]) if "x-time" in message else None,
    )


def _validator(schema: Node) -> Draft202012Validator:
    return Draft202012Validator(followed(schema), base_uri=DOCUMENT.as_uri(), retriever=_read, validate_formats=True)


def _read(uri: str) -> Any:
    """Read a file that a schema refers to; the validator itself does not find one below a path with a space."""
    return json.loads(Path(url2pathname(urlsplit(uri).path)).read_text(encoding="utf-8"))


def _place(expression: str) -> Place:
    """Read a runtime expression: `$message.payload#/status/id`."""
    return tuple(expression.removeprefix("$message.payload#/").split("/"))
