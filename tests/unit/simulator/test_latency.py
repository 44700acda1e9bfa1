from tests.simulator.disorder import Body
from tests.simulator.latency import Sample, draw_samples
from tests.simulator.statuses import Status
from tests.unit.simulator.material import START, a_plan

PLAN = a_plan()
RECIPIENT, STRANGER = PLAN.recipients[:2]


def body_of(*statuses: Status) -> Body:
    return Body(((statuses,),))


def test_a_sample_waits_for_the_first_body_that_makes_its_column_true() -> None:
    bodies = [
        body_of(Status(RECIPIENT, "delivered", START), Status(RECIPIENT, "warning", START)),
        body_of(Status(RECIPIENT, "failed", START, payment_id=RECIPIENT.wamid)),
        body_of(Status(STRANGER, "read", START)),
        body_of(Status(RECIPIENT, "sent", START), Status(RECIPIENT, "read", START)),
        body_of(Status(RECIPIENT, "failed", START)),
    ]

    samples = draw_samples(bodies, frozenset({RECIPIENT.wamid}), count=10, seed=1)

    assert set(samples) == {
        Sample(0, RECIPIENT.wamid, "sent_at"),
        Sample(0, RECIPIENT.wamid, "delivered_at"),
        Sample(3, RECIPIENT.wamid, "read_at"),
        Sample(4, RECIPIENT.wamid, "failed_at"),
    }


def test_no_more_samples_are_drawn_than_asked_for() -> None:
    bodies = [body_of(status) for status in PLAN.statuses]

    samples = draw_samples(bodies, PLAN.wamids, count=30, seed=1)

    assert len(set(samples)) == 30
