"""What the Tansu broker cannot do, with the fact behind each; only these tests are skipped, and only on Tansu."""

from typing import Final

KEEPS_NOTHING = "Tansu keeps topics, records and offsets in memory: a killed broker has lost them all"
TAKES_EVERYTHING = "Tansu takes records of any size, whatever max.message.bytes says"
DELETES_NOTHING = "Tansu closes the connection when it is asked to delete records"

CANNOT: Final = {
    "tests/integration/test_broker.py::test_acknowledged_records_survive_kill_9_of_the_broker": KEEPS_NOTHING,
    "tests/integration/test_dead_letters.py::test_an_event_that_is_too_large_for_its_topic_is_a_dead_letter_alone": (
        TAKES_EVERYTHING
    ),
    "tests/integration/test_redrive.py::test_an_event_goes_back_as_it_was_when_its_topic_takes_it": TAKES_EVERYTHING,
    "tests/integration/test_topic_range.py::test_what_retention_took_is_passed_over[1]": DELETES_NOTHING,
    "tests/integration/test_topic_range.py::test_what_retention_took_is_passed_over[3]": DELETES_NOTHING,
    "tests/integration/test_topic_range.py::test_what_retention_took_is_passed_over[5]": DELETES_NOTHING,
}
