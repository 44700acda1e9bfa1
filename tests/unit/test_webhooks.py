"""docs/webhooks.md says of fields, topics, statuses and states what the code does."""

import re
from pathlib import Path

from shared.envelope import ACCOUNT_FIELDS, TEMPLATE_FIELDS
from status_service.changes import accounts, templates

DOCUMENT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Give the cells of the table in a chapter, without its head."""
    chapter = DOCUMENT.partition(f"{heading}\n")[2].partition("\n## ")[0]
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in re.findall(r"^\|.*\|$", chapter, re.MULTILINE)
    ]
    return found[2:]


def test_every_field_is_on_its_topic() -> None:
    fields = {field.strip("`"): topic.strip("`") for field, topic, *_ in rows("# Webhooks: field, topic, rows")}
    assert {field for field, topic in fields.items() if topic == "raw.template"} == TEMPLATE_FIELDS
    assert {field for field, topic in fields.items() if topic == "raw.account"} == ACCOUNT_FIELDS


def test_the_statuses_are_mapped_as_it_says_and_in_that_order() -> None:
    found = [(event.strip("`"), status.strip("`")) for event, status, _ in rows("## A template's status")]
    assert found == [*templates.STATUS_OF_EVENT.items()]


def test_the_states_of_accounts_are_in_that_order() -> None:
    assert tuple(state.strip("`") for state, _ in rows("## Accounts")) == accounts.STATES
    said = DOCUMENT.partition("## Accounts\n")[2]
    events = {*accounts.STATE_OF_CONNECTION, *accounts.STATE_OF_BAN, "DISABLED_UPDATE", "ACCOUNT_RESTRICTION"}
    assert {event for event in events if f"`{event}`" not in said} == set()


def test_the_orders_are_those() -> None:
    for order in (templates.QUALITIES, templates.CATEGORIES, accounts.LIMITS):
        assert ", ".join(f"`{value}`" for value in order) in DOCUMENT
