"""The document by itself: well-formed, and of the topics that are declared."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from shared.envelope import ACCOUNT_FIELDS, TEMPLATE_FIELDS
from shared.topics import DAY_MS, DEAD_LETTER, EVENT_TOPICS, PARTITIONS, TOPICS, Topic
from tests.contract.contract import PREFIX, faults
from tests.contract.document import DOCS, DOCUMENT, SCHEMAS, Node, channels, document, followed, message_of, within
from tests.contract.examples import examples, record_of


def nodes(tree: Any) -> Iterator[Node]:
    """Give every object of a document."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(child)


def read(path: Path) -> Any:
    return document() if path == DOCUMENT else json.loads(path.read_text(encoding="utf-8"))


def test_the_channels_are_the_topics() -> None:
    assert document()["asyncapi"] == "3.0.0"
    assert {name: channel["address"] for name, channel in channels().items()} == {
        topic.suffix: topic.name(PREFIX) for topic in TOPICS
    }


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: str(topic.suffix))
def test_a_channel_has_its_topics_settings(topic: Topic) -> None:
    kafka = followed(channels()[topic.suffix]["bindings"])["kafka"]
    assert kafka["partitions"] == PARTITIONS
    declared = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in kafka["topicConfiguration"].items()
    }
    settings = topic.configuration(1)
    del settings["min.insync.replicas"]  # the operator's number of replicas decides it
    assert declared == settings


def test_every_reference_leads_somewhere() -> None:
    references = [(path, node["$ref"]) for path in (DOCUMENT, *SCHEMAS) for node in nodes(read(path)) if "$ref" in node]
    for path, reference in references:
        file, _, pointer = reference.partition("#")
        target = read((path.parent / file).resolve()) if file else read(path)
        assert within(target, pointer), reference
    used = {(path.parent / reference.partition("#")[0]).resolve() for path, reference in references}
    assert used >= set(SCHEMAS), "a schema that nothing refers to"


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: str(path.stem))
def test_a_schema_is_valid_and_described(path: Path) -> None:
    schema = read(path)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema)
    assert schema["title"]
    assert schema["description"]
    for name, described in schema.get("properties", {}).items():
        assert described.get("description"), name
    # Open only where the words are Meta's, which is deeper; and a dead letter's headers, which the record may have had.
    is_ours = "properties" in schema and path.stem != "dead-letter-headers"
    assert schema.get("additionalProperties") is (False if is_ours else None)
    assert set(schema.get("properties", ())) == set(schema.get("required", ()))


def test_every_topic_has_a_record_with_headers() -> None:
    for message in map(message_of, channels().values()):
        headers = followed(message["headers"])
        assert headers.get("type") == "object" or "$ref" in headers
        # AsyncAPI takes any bytes for a payload that it is not told of.
        assert ("payload" in message) is (message.get("contentType") != "application/octet-stream")


def test_the_types_of_events_are_their_topics() -> None:
    types = {
        name: node["ce_type"]["const"]
        for name, channel in channels().items()
        for node in nodes(message_of(channel).get("headers"))
        if "ce_type" in node
    }
    assert types == {topic.suffix: f"whatsapp.{topic.suffix}" for topic in EVENT_TOPICS if topic is not DEAD_LETTER}


@pytest.mark.parametrize(("name", "fields"), [("raw-template", TEMPLATE_FIELDS), ("raw-account", ACCOUNT_FIELDS)])
def test_the_fields_of_a_raw_topic_are_those_that_go_there(name: str, fields: frozenset[str]) -> None:
    (declared,) = (node["enum"] for node in nodes(read(DOCS / "schemas" / f"{name}.json")) if "enum" in node)
    assert declared == sorted(fields)


def test_the_operations_publish_every_record() -> None:
    operations = document()["operations"].values()
    sent = [followed(operation["channel"])["address"] for operation in operations if operation["action"] == "send"]
    assert sorted(sent) == sorted(channel["address"] for channel in channels().values())


def test_the_examples_are_what_they_are_examples_of() -> None:
    shown = set()
    for name, example in examples():
        message = message_of(channels()[name])
        places = [expression.partition("#")[2] for expression in message.get("x-key", ())]
        key = str(within(example["payload"], places[0])) if places else None
        assert faults(record_of(name, example["payload"], example.get("headers"), key)) == []
        shown.add(name)
    assert shown == channels().keys() - {"raw.unroutable"}


def test_the_page_for_subscribers_has_every_topic_as_it_is_kept() -> None:
    rows = re.findall(
        r"^\| `whatsapp\.(\S+)` \| .+ \| (.+) \|$", (DOCS / "events.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert dict(rows) == {
        topic.suffix: "the last of each key" if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS} days"
        for topic in TOPICS
    }
    assert len(rows) == len(TOPICS)
