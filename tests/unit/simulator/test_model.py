import itertools
import random

import pytest

from tests.simulator.meta_errors import (
    EMPTY_DETAILS,
    EXPERIMENT,
    SOMETHING_WRONG,
    TITLE_ONLY,
    UNDELIVERABLE,
    WITHOUT_ERROR_DATA,
    MetaError,
)
from tests.simulator.model import MeantCampaign, MeantMessage, make_model, meant_campaign, meant_message
from tests.simulator.statuses import Status
from tests.simulator.stories import Story, tell
from tests.unit.simulator.material import START, a_plan

RECIPIENT = a_plan().recipients[0]


def say(status: str, second: int, *errors: MetaError) -> Status:
    return Status(RECIPIENT, status, START + second, errors)


@pytest.mark.parametrize("story", Story)
def test_any_order_and_repetition_of_a_story_mean_the_same(story: Story) -> None:
    statuses = tell(story, RECIPIENT, START, random.Random(1))
    meant = meant_message(statuses)

    for order in itertools.permutations(statuses):
        assert meant_message(order) == meant
        assert meant_message([*order, *order[:2]]) == meant


@pytest.mark.parametrize(
    ("statuses", "meant"),
    [
        ([], MeantMessage("pending")),
        ([say("sent", 0)], MeantMessage("sent", sent_at=START)),
        ([say("sent", 0), say("delivered", 3)], MeantMessage("delivered", START, START + 3)),
        ([say("read", 9)], MeantMessage("read", START + 9, START + 9, START + 9)),
        ([say("sent", 0), say("read", 9), say("delivered", 12)], MeantMessage("read", START, START + 9, START + 9)),
        ([say("played", 20), say("read", 9)], MeantMessage("read", START + 9, START + 9, START + 9)),
        (
            [say("failed", 2, UNDELIVERABLE)],
            MeantMessage("failed", failed_at=START + 2, error_code=131026, error_message="Message Undeliverable."),
        ),
        (
            [say("sent", 5), say("failed", 2, UNDELIVERABLE)],
            MeantMessage("failed", START + 5, None, None, START + 2, 131026, "Message Undeliverable."),
        ),
        (
            [say("failed", 2, UNDELIVERABLE), say("delivered", 3)],
            MeantMessage("delivered", START + 3, START + 3, None, START + 2, 131026, None),
        ),
        ([say("deleted", 1), say("warning", 1), say("screened", 1)], MeantMessage("pending")),
        ([Status(RECIPIENT, "failed", START, (UNDELIVERABLE,), payment_id=RECIPIENT.wamid)], MeantMessage("pending")),
    ],
)
def test_a_message_is_what_its_evidence_proves(statuses: list[Status], meant: MeantMessage) -> None:
    assert meant_message(statuses) == meant


@pytest.mark.parametrize(
    ("failures", "code", "text"),
    [
        ([say("failed", 0, UNDELIVERABLE, SOMETHING_WRONG)], 131026, "Message Undeliverable."),
        ([say("failed", 0, WITHOUT_ERROR_DATA)], 131016, "Service unavailable: try again later"),
        ([say("failed", 0, EMPTY_DETAILS)], 131056, "Too many messages to this recipient"),
        ([say("failed", 0, TITLE_ONLY)], 131031, "Business account locked"),
        ([say("failed", 0)], None, None),
        ([say("failed", 0), say("failed", 0, UNDELIVERABLE)], 131026, "Message Undeliverable."),
        ([say("failed", 1, UNDELIVERABLE), say("failed", 0)], None, None),
        ([say("failed", 0, MetaError(7, "é", None, None)), say("failed", 0, MetaError(7, "z", None, None))], 7, "z"),
        ([say("failed", 0, MetaError(7, "", None, "")), say("failed", 0, MetaError(7, "z", None, None))], 7, "z"),
        ([say("failed", 0, UNDELIVERABLE), say("failed", 0, EXPERIMENT)], 130472, EXPERIMENT.details),
    ],
)
def test_the_earliest_then_least_error_is_the_one_that_is_told(
    failures: list[Status], code: int | None, text: str | None
) -> None:
    for order in itertools.permutations(failures):
        meant = meant_message(order)
        assert (meant.error_code, meant.error_message) == (code, text)


@pytest.mark.parametrize(
    ("statuses", "events"),
    [
        ([], []),
        (["sent"], ["sent"]),
        (["delivered"], ["sent", "delivered"]),
        (["read"], ["sent", "delivered", "read"]),
        (["played"], ["sent", "delivered", "read"]),
        (["failed"], ["failed"]),
        (["sent", "failed"], ["sent", "failed"]),
        (["failed", "delivered"], ["sent", "delivered", "failed"]),
        (["warning", "deleted"], []),
    ],
)
def test_what_is_proven_is_heard_of_implied_evidence_included(statuses: list[str], events: list[str]) -> None:
    assert meant_message(say(status, 0) for status in statuses).events() == events


@pytest.mark.parametrize(
    ("statuses", "meant"),
    [
        (["pending", "pending"], MeantCampaign("pending", 0, 0, 0, 0)),
        (["pending", "sent"], MeantCampaign("processing", 1, 0, 0, 0)),
        (["sent", "delivered", "read", "failed"], MeantCampaign("completed", 3, 1, 2, 1)),
    ],
)
def test_a_campaign_counts_its_messages(statuses: list[str], meant: MeantCampaign) -> None:
    assert meant_campaign([MeantMessage(status) for status in statuses]) == meant


def test_the_model_has_every_message_of_the_plan_and_no_foreign_one() -> None:
    plan = a_plan()
    model = make_model(plan)

    assert set(model.messages) == plan.wamids
    assert {wamid for wamid, _ in model.events} == plan.wamids
    assert model.row_ids == {wamid: plan.row_id(wamid) for wamid in plan.wamids}
    assert model.campaign.status == "completed"
    assert model.campaign.successful_sends + model.campaign.failed_sends == len(plan.recipients)
