"""What several of these tests start from."""

from uuid import UUID

from tests.simulator.plan import Plan, make_plan
from tests.simulator.recipients import BusinessNumber

BUSINESS = BusinessNumber("384920175660431", "271948360554122", "15550142200")
START = 1_790_812_800
CAMPAIGN = UUID("00000000-0000-4000-8000-000000000051")


def a_plan(recipients: int = 200, seed: int = 7, callback_share: float = 0) -> Plan:
    return make_plan(CAMPAIGN, recipients, BUSINESS, START, seed, callback_share=callback_share)
