"""A status that had to wait for its row ends as one that came after it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import reduce
from itertools import pairwise
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from status_service.batch import Told
from status_service.merge import Evidence, Row, merge
from status_service.store import Locks
from tests.property.evidence import rows, single_evidence
from tests.property.world import World, folded
from tests.unit.status_service.test_counts import counts

COUNTS = "SELECT successful_sends, failed_sends, delivered_count, read_count FROM campaign_logs WHERE id = $1"


class Way(Enum):
    """How a message comes to have a row."""

    INSERTED = auto()
    # The row was there, and the platform stores the message's id in it.
    STORED = auto()
    # The row has no id, and the platform never hears it; statuses name the row.
    CLAIMED = auto()


@dataclass(frozen=True, slots=True)
class Message:
    """What the platform wrote in the row, and before which batch the row is there or gets its id."""

    row: Row
    row_id: UUID
    way: Way
    appears: int


@dataclass(frozen=True, slots=True)
class Said:
    """One status; it may name a row and the number it was sent from."""

    message_id: str
    evidence: Evidence
    callback_id: UUID | None
    phone_number_id: str | None


def statuses(names: Sequence[str], callback_ids: st.SearchStrategy[UUID | None]) -> st.SearchStrategy[list[Said]]:
    # A message has one number; a webhook may lack it.
    said = st.builds(Said, st.sampled_from(names), single_evidence, callback_ids, st.sampled_from(["number", None]))
    return st.lists(said, min_size=1, max_size=12)


@st.composite
def in_batches(draw: st.DrawFn, said: list[Said]) -> list[tuple[Locks, Told]]:
    """Cut statuses into batches, in another order and some of them repeated."""
    disordered = draw(st.permutations(said + draw(st.lists(st.sampled_from(said), max_size=4))))
    cuts = sorted(draw(st.sets(st.integers(1, len(disordered)))) | {0, len(disordered)})
    return [(draw(st.sampled_from(Locks)), told(disordered[start:end])) for start, end in pairwise(cuts)]


def told(said: Sequence[Said]) -> Told:
    """Fold a batch."""
    callback_ids: dict[str, UUID] = {}
    phone_number_ids: dict[str, str] = {}
    for one in said:
        if one.callback_id is not None:
            callback_ids[one.message_id] = min(callback_ids.get(one.message_id, one.callback_id), one.callback_id)
        if one.phone_number_id is not None:
            phone_number_ids[one.message_id] = one.phone_number_id
    return Told(folded((one.message_id, one.evidence) for one in said), callback_ids, phone_number_ids)


async def happen(
    world: World, messages: dict[str, Message], batches: Sequence[tuple[Locks, Told]], sweeps: set[int]
) -> UUID:
    """Let it happen, with a last sweep; give the campaign."""
    await world.platform.execute("DELETE FROM parked_statuses")
    campaign_id = await world.create_campaign()
    for step in range(len(batches) + 1):
        for name, one in messages.items():
            if step == (0 if one.way is Way.STORED else one.appears):
                message_id = name if one.way is Way.INSERTED else None
                await world.insert_row(campaign_id, one.row_id, message_id, one.row)
            if step == one.appears and one.way is Way.STORED:
                await world.store_message_id(one.row_id, name)
        if step in sweeps or step == len(batches):
            await world.service.sweep.adopt()
        if step < len(batches):
            locks, batch = batches[step]
            await world.service.store.apply(batch, locks)
    return campaign_id


@settings(max_examples=60)
@given(data=st.data())
def test_parked_and_adopted_is_merged_at_once(world: World, data: st.DataObject) -> None:
    names = [f"wamid.{uuid4()}" for _ in range(data.draw(st.integers(1, 4)))]
    row_ids = {name: uuid4() for name in names}
    said = [
        one if one.callback_id is None else Said(one.message_id, one.evidence, row_ids[one.message_id], "number")
        for one in data.draw(statuses(names, st.sampled_from([None, UUID(int=0)])))
    ]
    batches = data.draw(in_batches(said))
    steps = st.integers(0, len(batches))
    messages = {
        name: Message(
            replace(data.draw(rows), proven=0), row_ids[name], data.draw(st.sampled_from(Way)), data.draw(steps)
        )
        for name in names
    }

    campaign_id = world.run.run(happen(world, messages, batches, data.draw(st.sets(steps))))

    expected, waiting = {}, set()
    for name, message in messages.items():
        mine = [one for one in said if one.message_id == name]
        without_id = message.way is Way.CLAIMED and all(one.callback_id is None for one in mine)
        expected[name] = message.row if without_id else reduce(merge, (one.evidence for one in mine), message.row)
        if without_id and mine:
            waiting.add(name)
    assert {name: world.run.run(world.stored(row_id)) for name, row_id in row_ids.items()} == expected
    assert set(world.run.run(world.parked())) == waiting
    campaign = world.run.run(world.platform.fetchrow(COUNTS, campaign_id))
    assert campaign is not None
    assert tuple(campaign) == counts(*(row.status for row in expected.values()))


@settings(max_examples=60)
@given(data=st.data())
def test_what_is_parked_is_joined_by_the_rule(world: World, data: st.DataObject) -> None:
    names = [f"wamid.{uuid4()}" for _ in range(data.draw(st.integers(1, 4)))]
    said = data.draw(statuses(names, st.sampled_from([None, UUID(int=1), UUID(int=2)])))
    world.run.run(happen(world, {}, data.draw(in_batches(said)), set()))

    parked = world.run.run(world.parked())
    at_once = told(said)
    assert {name: (one.callback_id, one.phone_number_id, one.evidence) for name, one in parked.items()} == {
        name: (at_once.callback_ids.get(name), at_once.phone_number_ids.get(name), evidence)
        for name, evidence in at_once.evidence.items()
    }
    # A replay writes nothing.
    for locks, batch in data.draw(in_batches(said)):
        world.run.run(world.service.store.apply(batch, locks))
    assert world.run.run(world.parked()) == parked
