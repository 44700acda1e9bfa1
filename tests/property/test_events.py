"""Events are a function of the evidence: never of order, repetition, batches, or of when the row appeared."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID, uuid4, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from status_service.events import NAMESPACE
from status_service.merge import Evidence, Row
from status_service.store import Locks
from tests.property.evidence import rows, single_evidence
from tests.property.world import World, folded
from tests.told import told
from tests.unpublished import events_in_outbox

# What a single status proves, by the bit of what it says; and the bit of each status, both in the contract's words.
PROVES = {1: {"sent"}, 2: {"sent", "delivered"}, 4: {"sent", "delivered", "read"}, 8: {"failed"}}
SAYS = {"sent": 1, "delivered": 2, "read": 4, "failed": 8}


@dataclass(frozen=True, slots=True)
class Message:
    """The rows that the platform writes for it, before which batch, and with what it overwrites them before another."""

    rows: Sequence[Row]
    appears: int
    overwritten: tuple[int, Row] | None


@dataclass(frozen=True, slots=True)
class History:
    """What happens: before each batch the platform writes, then the sweep looks if it is its turn."""

    messages: dict[str, Message]
    batches: Sequence[tuple[Locks, Sequence[tuple[str, Evidence]]]]
    sweeps: frozenset[int]


@st.composite
def histories(draw: st.DrawFn) -> History:
    names = [f"wamid.{uuid4()}" for _ in range(draw(st.integers(1, 4)))]
    statuses = draw(st.lists(st.tuples(st.sampled_from(names), single_evidence), min_size=1, max_size=12))
    disordered = draw(st.permutations(statuses + draw(st.lists(st.sampled_from(statuses), max_size=4))))
    cuts = sorted(draw(st.sets(st.integers(1, len(disordered)))) | {0, len(disordered)})
    batches = [(draw(st.sampled_from(Locks)), disordered[start:end]) for start, end in pairwise(cuts)]
    steps = st.integers(0, len(batches))
    message = st.builds(
        Message,
        rows=st.lists(rows, min_size=1, max_size=2),
        appears=steps,
        overwritten=st.none() | st.tuples(steps, rows),
    )
    return History({name: draw(message) for name in names}, batches, frozenset(draw(st.sets(steps))))


async def happen(world: World, history: History) -> dict[str, list[UUID]]:
    """Let it happen, with a last sweep; give the rows of each message."""
    await world.platform.execute("DELETE FROM status_outbox")
    campaign_id = await world.create_campaign()
    row_ids: dict[str, list[UUID]] = {}
    for step in range(len(history.batches) + 1):
        for name, message in history.messages.items():
            if step == message.appears:
                row_ids[name] = [uuid4() for _ in message.rows]
                for row_id, row in zip(row_ids[name], message.rows, strict=True):
                    await world.insert_row(campaign_id, row_id, name, row)
            if message.overwritten is not None and step == message.overwritten[0]:
                await world.overwrite_rows(name, message.overwritten[1])
        if step in history.sweeps or step == len(history.batches):
            await world.service.sweep.adopt()
        if step < len(history.batches):
            locks, batch = history.batches[step]
            await world.service.store.apply(told(folded(batch)), locks)
    assert await world.platform.fetchval("SELECT count(*) FROM parked_statuses") == 0
    return row_ids


def told_together(history: History, name: str) -> Iterator[list[Evidence]]:
    """Give the statuses that each transaction tells the message's rows: a batch's, or all that was parked before."""
    parked: list[Evidence] = []
    appears = history.messages[name].appears
    for step in range(len(history.batches) + 1):
        if parked and step >= appears and (step in history.sweeps or step == len(history.batches)):
            yield parked
            parked = []
        batch = history.batches[step][1] if step < len(history.batches) else []
        evidence = [one for message_id, one in batch if message_id == name]
        if evidence and step >= appears:
            yield evidence
        else:
            parked += evidence


def first_told(history: History, name: str) -> dict[str, bool]:
    """Give the statuses that are proven of a message, and whether it was said in so many words when they first were."""
    first: dict[str, bool] = {}
    for together in told_together(history, name):
        for proven in set().union(*(PROVES[one.said] for one in together)):
            first.setdefault(proven, any(one.said == SAYS[proven] for one in together))
    return first


@settings(max_examples=60)
@given(history=histories())
def test_events_are_those_that_the_evidence_proves_each_once(world: World, history: History) -> None:
    row_ids = world.run.run(happen(world, history))
    events = world.run.run(events_in_outbox(world.platform))

    statuses = [status for _, batch in history.batches for status in batch]
    assert sorted((event.id, event.topic.suffix, event.key) for event in events) == sorted(
        (str(uuid5(NAMESPACE, f"{row_id}/{name}/{proven}")), f"status.{proven}", name)
        for name in history.messages
        for proven in set().union(*(PROVES[one.said] for message_id, one in statuses if message_id == name))
        for row_id in row_ids[name]
    )
    implied = {
        (event.key, event.topic.suffix.removeprefix("status."), json.loads(event.data)["implied"]) for event in events
    }
    assert implied == {
        (name, proven, not said) for name in history.messages for proven, said in first_told(history, name).items()
    }
