"""docs/asyncapi.yaml and its schemas, as they are written."""

import functools
from pathlib import Path
from typing import Any, Final

import yaml

DOCS: Final = Path(__file__).parents[2] / "docs"
DOCUMENT: Final = DOCS / "asyncapi.yaml"
SCHEMAS: Final = sorted((DOCS / "schemas").glob("*.json"))

Node = dict[str, Any]


@functools.cache
def document() -> Node:
    read: Node = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return read


def channels() -> dict[str, Node]:
    """Give the channels by their topic's name without its prefix."""
    found: dict[str, Node] = document()["channels"]
    return found


def message_of(channel: Node) -> Node:
    """Give a channel's message: a topic of ours has one kind of record."""
    message: Node
    (message,) = channel["messages"].values()
    return message


def followed(node: Node) -> Node:
    """Give what a node is or, by a reference within the document, what it stands for."""
    reference = node.get("$ref", "")
    return within(document(), reference) if reference.startswith("#/") else node


def within(tree: Any, reference: str) -> Any:
    """Give what a JSON pointer after `#` points at. Raises KeyError or IndexError."""
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        tree = tree[int(name)] if isinstance(tree, list) else tree[name]
    return tree
