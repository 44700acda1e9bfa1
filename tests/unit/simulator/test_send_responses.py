from collections import Counter

from tests.simulator.send_responses import Rows, draw_responses
from tests.unit.simulator.material import a_plan

BODIES = 40
PLAN = a_plan(callback_share=0.5)
HEARD = {recipient.wamid for recipient in PLAN.recipients if recipient.callback_data is None}


def test_nothing_is_left_to_store_where_the_campaign_was_written_with_it() -> None:
    assert draw_responses(PLAN, Rows.BEFORE, BODIES, seed=1) == []


def test_a_seed_draws_one_order_in_which_every_response_that_was_not_lost_is_stored_in_its_row() -> None:
    for rows in (Rows.DURING, Rows.AFTER):
        responses = draw_responses(PLAN, rows, BODIES, seed=1)

        assert responses == draw_responses(PLAN, rows, BODIES, seed=1)
        assert responses != draw_responses(PLAN, rows, BODIES, seed=2)
        assert Counter(response.wamid for response in responses) == Counter(HEARD)
        assert all(response.row_id == PLAN.row_id(response.wamid) for response in responses)


def test_they_are_stored_all_along_the_sending_or_after_its_last_body() -> None:
    during = [response.place for response in draw_responses(PLAN, Rows.DURING, BODIES, seed=1)]
    after = {response.place for response in draw_responses(PLAN, Rows.AFTER, BODIES, seed=1)}

    assert during == sorted(during)
    assert len(set(during)) > BODIES / 2
    assert 0 <= during[0] <= during[-1] < BODIES
    assert after == {BODIES}
