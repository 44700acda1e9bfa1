"""What the Tansu broker cannot do, with the fact behind each; only these tests are skipped, and only on Tansu."""

from typing import Final

KEEPS_NOTHING = "Tansu keeps topics, records and offsets in memory: a killed broker has lost them all"

CANNOT: Final = {
    "tests/integration/test_broker.py::test_acknowledged_records_survive_kill_9_of_the_broker": KEEPS_NOTHING,
}
