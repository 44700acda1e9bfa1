"""Bodies that Meta might send one day, and those that nobody would: each with a marker that must be found in Kafka."""

import json
import random
import re
from copy import deepcopy
from typing import Any

from tests.webhooks import webhooks

EXAMPLES = list(webhooks().values())
# After a backslash that a mutation leaves in front of it, its first letter makes no JSON escape.
MARKER = re.compile(rb"Q[0-9a-f]{16}")
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**70,
    1.5,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "x" * 5000,
    "\x00",
    "\ud83d",
    "é\U0001f600",
    [],
    {},
    [[]],
    {"": ""},
]
DEPTHS = (10, 200, 5_000)


def body(chance: random.Random, marker: str) -> bytes:
    """Make a body; the marker is in a part of it that has to be kept."""
    kind = chance.random()
    if kind < 0.1:
        noise = chance.randbytes(chance.randrange(400))
        cut = chance.randrange(len(noise) + 1)
        return noise[:cut] + marker.encode() + noise[cut:]
    if kind < 0.2:
        return written(chance, {"any": anything(chance, 4), "marker": marker})
    envelope = json.loads(chance.choice(EXAMPLES))
    for _ in range(chance.randrange(4)):
        mutate(chance, envelope)
    content = written(chance, marked(chance, envelope, marker))
    return damaged(chance, content, marker.encode()) if kind < 0.4 else content


def anything(chance: random.Random, depth: int) -> Any:
    """Give a JSON value."""
    choice = chance.randrange(4 if depth else 2)
    if choice == 2:
        return [anything(chance, depth - 1) for _ in range(chance.randrange(4))]
    if choice == 3:
        return {f"k{chance.randrange(5)}": anything(chance, depth - 1) for _ in range(chance.randrange(4))}
    return deepcopy(chance.choice(ODD))


def mutate(chance: random.Random, document: Any) -> None:
    """Change something somewhere."""
    holder = document
    while True:
        places: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not places:
            return
        place = chance.choice(places)
        inner = holder[place]
        if not (isinstance(inner, dict | list) and inner and chance.random() < 0.8):
            break
        holder = inner
    change = chance.randrange(5)
    if change == 0:
        del holder[place]
    elif change == 1:
        holder[place] = anything(chance, 3)
    elif change == 2:
        holder[place] = [inner, inner]
    elif change == 3:
        holder[place] = {"inner": inner}
    elif isinstance(holder, dict):
        holder[f"more{chance.randrange(3)}"] = anything(chance, 2)
    else:
        holder.append(anything(chance, 2))


def marked(chance: random.Random, envelope: Any, marker: str) -> Any:
    """Put the marker where it may not be dropped: into a status, a message, a change or what stands in for one."""
    entries = envelope.get("entry") if isinstance(envelope, dict) else None
    if not isinstance(entries, list):
        return {"marker": marker, "envelope": envelope}
    if not entries:
        entries.append(marker)
    place = chance.randrange(len(entries))
    entry = entries[place]
    if not isinstance(entry, dict):
        entries[place] = [entry, marker]
    elif not isinstance(changes := entry.get("changes"), list):
        entry["marker"] = marker
    elif not changes:
        changes.append({"marker": marker})
    else:
        mark_change(chance, changes, marker)
    return envelope


def mark_change(chance: random.Random, changes: list[Any], marker: str) -> None:
    place = chance.randrange(len(changes))
    change = changes[place]
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(change, dict):
        changes[place] = [change, marker]
    elif change.get("field") != "messages" or not isinstance(value, dict):
        change["marker"] = marker
    else:
        parts = [
            part
            for name in ("statuses", "messages")
            if isinstance(value.get(name), list)
            for part in value[name]
            if isinstance(part, dict)
        ]
        chance.choice(parts or [value])["marker"] = marker


def written(chance: random.Random, document: Any) -> bytes:
    """Write JSON in one of the ways that there are, and now and then deeper than anybody reads."""
    text = json.dumps(document, ensure_ascii=chance.random() < 0.7, indent=chance.choice([None, None, None, 1]))
    if chance.random() < 0.01:
        depth = chance.choice(DEPTHS)
        text = f'{{"entry":[{{"changes":[{"[" * depth}{text}{"]" * depth}]}}]}}'
    return text.encode("utf-8", "surrogatepass")


def damaged(chance: random.Random, content: bytes, marker: bytes) -> bytes:
    """Change some bytes, but none of the marker's."""
    damage = bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(damage) + 1)
        choice = chance.randrange(4)
        if choice == 0:
            damage[at:at] = chance.randbytes(1)
        elif choice == 1:
            damage[at : at + 1] = chance.choice([b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\x00", b"\xff"])
        elif choice == 2:
            del damage[at : at + chance.randrange(8)]
        else:
            del damage[max(at, len(damage) - 20) :]
    return bytes(damage) if marker in damage else content
