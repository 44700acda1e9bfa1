"""What several of these tests start from."""

from tests.simulator.plan import Plan, make_plan
from tests.simulator.recipients import BusinessNumber

BUSINESS = BusinessNumber("384920175660431", "271948360554122", "15550142200")
START = 1_790_812_800


def a_plan(recipients: int = 200, seed: int = 7) -> Plan:
    return make_plan(recipients, BUSINESS, START, seed)
