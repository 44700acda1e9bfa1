import asyncio
from dataclasses import replace

from tests.simulator.misbehaviour import Misbehaviour, repairable_rows
from tests.simulator.model import MeantMessage, make_model
from tests.unit.simulator.material import CAMPAIGN, a_plan

MODEL = make_model(a_plan(recipients=20))


def test_no_row_of_which_meta_tells_nothing_is_touched() -> None:
    silent = next(iter(MODEL.messages))
    model = replace(MODEL, messages=MODEL.messages | {silent: MeantMessage("pending")})

    assert set(repairable_rows(MODEL)) == set(MODEL.row_ids.values())
    assert set(repairable_rows(MODEL)) - set(repairable_rows(model)) == {MODEL.row_ids[silent]}


async def test_a_platform_without_misdeeds_has_nothing_to_do() -> None:
    misbehaviour = Misbehaviour(CAMPAIGN, repairable_rows(MODEL), lock_seconds=3, seed=1)

    async with asyncio.timeout(5):
        await misbehaviour.go_on("postgresql://nobody.example", misdeeds=[])

    assert not misbehaviour.tally.rows
