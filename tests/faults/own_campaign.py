"""A campaign whose statuses a test sends itself, with what its rows must say in the end."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic, time
from uuid import UUID, uuid4

import aiohttp
import asyncpg

from tests.faults.services import Stage
from tests.simulator.disorder import Disorder, Shuffle, Sizes, make_bodies
from tests.simulator.model import MeantMessage, Model, meant_campaign, meant_message
from tests.simulator.plan import Plan, make_plan
from tests.simulator.proof import wait_until_meant
from tests.simulator.send_responses import Rows
from tests.simulator.sending_platform import MADE_UP_NUMBER, create_campaign
from tests.simulator.statuses import Status
from tests.simulator.wire import encode_body, sign
from tests.waiting import eventually

USERNAME = "own"
DISORDER = Disorder(max_statuses=100, duplicates=0.05, shuffle=Shuffle.WINDOW, sizes=Sizes.SKEWED)
# Services that a test has ended are back by then.
ACKNOWLEDGED_DEADLINE_SECONDS = 60.0
MEANT_DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class OwnCampaign:
    """Messages that the platform has sent; their statuses are the plan's."""

    stage: Stage
    plan: Plan

    @property
    def id(self) -> UUID:
        return self.plan.campaign_id

    async def send(self, statuses: Sequence[Status], seed: int = 0) -> None:
        """Send statuses as Meta does, repeated and out of order; return when all are acknowledged."""
        for body in make_bodies(statuses, DISORDER, seed):
            content = encode_body(body)
            await eventually(partial(self._acknowledged, content), ACKNOWLEDGED_DEADLINE_SECONDS)

    async def becomes(self, model: Model, deadline_seconds: float = MEANT_DEADLINE_SECONDS) -> None:
        """Wait until rows and counts are as meant."""
        owner = self.stage.database.owner
        verdict = await wait_until_meant(owner, self.id, model, monotonic() + deadline_seconds)
        assert verdict.holds, verdict

    async def _acknowledged(self, content: bytes) -> bool:
        headers = {"X-Hub-Signature-256": sign(content, self.stage.settings["META_APP_SECRETS"].encode())}
        try:
            async with self.stage.http.post(f"{self.stage.url}/webhooks/meta", data=content, headers=headers) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


def drawn_plan(campaign_id: UUID, recipients: int, chance: random.Random) -> Plan:
    return make_plan(campaign_id, recipients, MADE_UP_NUMBER, int(time()) - 3600, chance.randrange(2**32))


async def own_campaign(stage: Stage, recipients: int, chance: random.Random) -> OwnCampaign:
    """Write a campaign as the platform does, each row with its wamid."""
    plan = drawn_plan(uuid4(), recipients, chance)
    owner = await asyncpg.connect(stage.database.owner)
    try:
        await create_campaign(owner, USERNAME, "A test's own campaign", plan, Rows.BEFORE)
    finally:
        await owner.close()
    return OwnCampaign(stage, plan)


def told(statuses: Sequence[Status]) -> Mapping[str, MeantMessage]:
    """Give what the statuses prove of each message."""
    by_message: dict[str, list[Status]] = defaultdict(list)
    for status in statuses:
        by_message[status.recipient.wamid].append(status)
    return {wamid: meant_message(said) for wamid, said in by_message.items()}


def model_of(row_ids: Mapping[str, UUID], statuses: Sequence[Status]) -> Model:
    """Give what rows with these messages must say when the statuses are applied; of some there is nothing to say."""
    said = told(statuses)
    messages = {wamid: said.get(wamid, meant_message([])) for wamid in row_ids}
    return Model(messages, dict(row_ids), meant_campaign(messages.values()))
