import json
from collections import Counter
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from tests.simulator.announcements import CampaignRecord
from tests.simulator.disorder import Disorder, Shuffle, Sizes
from tests.simulator.ledger import Events, EventsVerdict, Fault, Found
from tests.simulator.misbehaviour import Misdeed, MisdeedTally
from tests.simulator.play import Outcome, Scenario
from tests.simulator.presentation import print_failure, print_figures, print_funnel, print_proof
from tests.simulator.progress import show_progress
from tests.simulator.proof import Difference, Proof, Verdict
from tests.simulator.recipients import mask
from tests.simulator.report import write_report
from tests.simulator.sender import Pace, Tally
from tests.unit.simulator.material import CAMPAIGN, START

PROOF = Proof("Counts equal rows.", "SELECT 1", ("count", "stored", "counted"), (("read_count", 3, 3),))
HOLDS = Outcome(
    scenario=Scenario(
        recipients=3,
        seed=1,
        start=START,
        disorder=Disorder(1, 0, Shuffle.NONE, Sizes.FULL),
        pace=Pace(rate=10, concurrency=1, answer_timeout_seconds=1, first_pause_seconds=1, give_up_seconds=1),
        wait_seconds=1,
    ),
    campaign_id=CAMPAIGN,
    bodies=4,
    statuses=8,
    tally=Tally(bodies_acknowledged=4, statuses_acknowledged=8, answers=Counter({"200": 4}), latencies=[0.002]),
    acknowledged_seconds=2,
    applied_seconds=4,
    latencies=[0.05],
    verdict=Verdict((PROOF,), ()),
)
CAMPAIGN_RECORD = CampaignRecord(
    campaign_id=CAMPAIGN,
    user_id=CAMPAIGN,
    status="completed",
    total_recipients=3,
    successful_sends=3,
    failed_sends=0,
    delivered_count=3,
    read_count=3,
    revision=7,
)
HEARD = EventsVerdict(
    wanted=Events.EXACTLY_ONCE,
    meant=9,
    heard=9,
    faults={fault: Found(0, ()) for fault in Fault},
    campaign_heard=CAMPAIGN_RECORD,
    campaign_row=CAMPAIGN_RECORD,
    revisions_down=0,
)
ROUGH = MisdeedTally(Counter({Misdeed.ROWS_HELD: 20}), deadlocks=1, errors=Counter({"OSError": 2}))
DEAF = replace(HEARD, heard=8, faults=HEARD.faults | {Fault.MISSING: Found(1, ("read of …A=",))}, campaign_heard=None)


def printed_by(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def a_console() -> Console:
    return Console(file=StringIO(), width=120)


def test_a_proof_holds_if_the_last_two_columns_agree_in_every_row() -> None:
    assert PROOF.holds
    assert not replace(PROOF, rows=(*PROOF.rows, ("failed_sends", 1, 2))).holds
    assert not replace(PROOF, rows=()).holds


def test_an_outcome_holds_only_if_every_proof_does_and_every_body_was_accepted() -> None:
    assert HOLDS.holds
    assert not replace(HOLDS, verdict=Verdict((PROOF, replace(PROOF, rows=())), ())).holds
    assert not replace(HOLDS, tally=Tally(given_up={2: "503"})).holds


def test_an_outcome_does_not_hold_if_the_platform_was_the_victim_of_a_deadlock() -> None:
    assert not replace(HOLDS, misdeeds=ROUGH).holds
    assert replace(HOLDS, misdeeds=replace(ROUGH, deadlocks=0)).holds


def test_where_somebody_listened_an_outcome_holds_only_if_the_events_do() -> None:
    assert replace(HOLDS, events=HEARD).holds
    assert not replace(HOLDS, events=DEAF).holds


def test_a_masked_message_id_holds_no_number() -> None:
    assert mask("wamid.HBgLMTU1NTAxNzMzOTEVAgARGBI3QzFEMDlFNDRCNTJGQTkwMzEA") == "…JGQTkwMzEA"
    assert mask(None) == "none"


def test_the_report_is_json_with_the_figures(tmp_path: Path) -> None:
    write_report(HOLDS, tmp_path / "report.json")

    report = json.loads((tmp_path / "report.json").read_text())
    assert report["holds"] is True
    assert report["campaign_id"] == str(CAMPAIGN)
    assert report["answers"] == {"200": 4}
    assert report["answer_ms"] == {"p50": 2.0, "p99": 2.0, "max": 2.0}
    assert report["post_to_row_ms"] == {"p50": 50.0, "p99": 50.0, "max": 50.0}
    assert report["proofs"] == [{"claim": "Counts equal rows.", "holds": True, "rows": [["read_count", 3, 3]]}]


def test_the_report_has_the_events_in_numbers_with_examples(tmp_path: Path) -> None:
    write_report(replace(HOLDS, events=DEAF), tmp_path / "report.json")

    events = json.loads((tmp_path / "report.json").read_text())["events"]
    assert (events["wanted"], events["holds"], events["meant"], events["heard"]) == ("exactly-once", False, 9, 8)
    assert events["faults"]["missing"] == {"number": 1, "examples": ["read of …A="]}
    assert events["campaign"]["heard"] is None
    assert events["campaign"]["row"]["revision"] == 7


def test_the_report_has_the_platforms_misdeeds(tmp_path: Path) -> None:
    write_report(replace(HOLDS, misdeeds=ROUGH), tmp_path / "report.json")

    assert json.loads((tmp_path / "report.json").read_text())["platform"] == {
        "manners": "well-behaved",
        "rows": {"rows_held": 20},
        "deadlocks": 1,
        "errors": {"OSError": 2},
    }


def test_a_failure_is_told_with_its_webhooks_proofs_rows_deadlocks_and_events() -> None:
    console = a_console()
    outcome = replace(
        HOLDS,
        events=DEAF,
        misdeeds=ROUGH,
        tally=Tally(given_up={2: "503"}),
        verdict=Verdict((replace(PROOF, rows=(("read_count", 3, 4),)),), (Difference(CAMPAIGN, "is", "was"),)),
    )

    print_failure(console, outcome)

    text = printed_by(console)
    assert "1 webhooks never got a 200, among them number 2 (503)" in text
    assert "not so: Counts equal rows." in text
    assert f"row {CAMPAIGN}" in text
    assert "the platform was the victim of 1 deadlocks" in text
    assert "events missing: 1, among them read of …A=" in text
    assert "not so: The last record about the campaign says what its row says." in text


def test_nothing_is_told_of_a_play_that_went_well() -> None:
    console = a_console()

    print_failure(console, HOLDS)

    assert not printed_by(console)


def test_the_funnel_has_a_bar_for_each_count() -> None:
    console = a_console()

    print_funnel(console, {"recipients": 1000, "read": 250})

    assert printed_by(console).splitlines() == [
        "  recipients     1,000 100.0%  " + "█" * 40,
        "  read             250  25.0%  " + "█" * 10,
    ]


def test_figures_are_rates_and_latencies() -> None:
    console = a_console()

    print_figures(console, replace(HOLDS, events=HEARD, misdeeds=ROUGH))

    text = printed_by(console)
    assert "the platform's misdeeds, in rows: rows_held 20; its errors: 2 OSError" in text
    assert "9 events heard; 9 different ones meant, 0 heard more than once" in text
    assert "8 statuses in 4 webhooks; answers: 4 with 200" in text
    assert "acknowledged: 4 statuses/s; applied: 2 statuses/s (the sender was held to 10 webhooks/s)" in text
    assert "POST to committed row: p50 50.0 ms" in text


def test_a_proof_is_shown_with_its_sql_and_its_result() -> None:
    console = a_console()

    print_proof(console, PROOF)

    text = printed_by(console)
    assert "✔ Counts equal rows." in text
    assert "    SELECT 1" in text
    assert "read_count" in text


def test_on_a_terminal_progress_is_two_bars() -> None:
    console = Console(file=StringIO(), width=120, force_terminal=True)

    with show_progress(console, statuses=10, messages=4) as show:
        show(10, 3)

    text = printed_by(console)
    assert "10/10" in text
    assert "3/4" in text
