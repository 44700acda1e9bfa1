from collections import Counter

from tests.simulator.statuses import UNKNOWN_STATUS
from tests.simulator.stories import Story
from tests.unit.simulator.material import START, a_plan


def test_a_seed_makes_one_plan_and_another_seed_another() -> None:
    assert a_plan(seed=3) == a_plan(seed=3)
    assert not a_plan(seed=3).wamids & a_plan(seed=4).wamids


def test_a_small_plan_tells_every_story() -> None:
    plan = a_plan(recipients=len(Story))

    assert set(plan.stories) == set(Story)


def test_the_statuses_of_a_message_are_those_of_its_story() -> None:
    plan = a_plan()
    told = {recipient.wamid: Counter[str]() for recipient in plan.recipients}
    for status in plan.statuses:
        if status.recipient.wamid in told and status.payment_id is None:
            told[status.recipient.wamid][status.status] += 1

    for recipient, story in zip(plan.recipients, plan.stories, strict=True):
        told[recipient.wamid].subtract(beat.status for beat in story.beats)
        irrelevant = {"deleted", "warning", UNKNOWN_STATUS}
        assert {status for status, count in told[recipient.wamid].items() if count} <= irrelevant


def test_what_must_change_nothing_is_there() -> None:
    plan = a_plan(recipients=20)
    kinds = {status.status for status in plan.statuses}
    foreign = [status for status in plan.statuses if status.recipient.wamid not in plan.wamids]
    payments = [status for status in plan.statuses if status.payment_id is not None]

    assert kinds >= {"deleted", "warning", UNKNOWN_STATUS, "captured"}
    assert any(status.payment_id in plan.wamids for status in payments)
    assert any(status.payment_id not in plan.wamids for status in payments)
    assert len({status.recipient.business for status in foreign}) == 2


def test_a_share_of_the_messages_names_its_rows_in_their_statuses_and_nothing_else_changes() -> None:
    plan, without = a_plan(callback_share=0.25), a_plan()
    named = [recipient for recipient in plan.recipients if recipient.callback_data is not None]

    assert 0.15 < len(named) / len(plan.recipients) < 0.35
    assert all(recipient.callback_data == str(plan.row_id(recipient.wamid)) for recipient in named)
    assert len({plan.row_id(recipient.wamid) for recipient in plan.recipients}) == len(plan.recipients)
    assert [recipient.wamid for recipient in plan.recipients] == [recipient.wamid for recipient in without.recipients]
    assert [(status.status, status.second) for status in plan.statuses] == [
        (status.status, status.second) for status in without.statuses
    ]
    assert all(recipient.callback_data is not None for recipient in a_plan(callback_share=1).recipients)


def test_errors_come_in_every_shape() -> None:
    errors = [status.errors for status in a_plan(recipients=2000).statuses if status.status == "failed"]

    assert any(len(several) == 2 for several in errors)
    assert any(not none for none in errors)
    assert any(error.details is None for several in errors for error in several)
    assert any(error.message is None for several in errors for error in several)


def test_statuses_tie_in_one_second_and_otherwise_follow_the_start() -> None:
    plan = a_plan()
    tied = plan.recipients[plan.stories.index(Story.ALL_IN_ONE_SECOND)]
    seconds = [status.second for status in plan.statuses]

    assert [status.second for status in plan.statuses if status.recipient == tied][:3] == [START] * 3
    assert seconds == sorted(seconds)
    assert START <= seconds[0] <= seconds[-1] < START + 3600
