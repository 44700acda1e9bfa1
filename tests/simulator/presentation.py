"""What came of a play, told to a person."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.simulator.latency import POLL_SECONDS
from tests.simulator.ledger import EventsVerdict, Fault
from tests.simulator.play import Outcome
from tests.simulator.proof import Proof
from tests.simulator.quantiles import Quantiles

BAR_WIDTH = 40
GIVEN_UP_SHOWN = 5


def print_funnel(console: Console, counts: dict[str, int]) -> None:
    """Print `counts` by what they are, the first of them the whole."""
    whole = max(next(iter(counts.values())), 1)
    for name, count in counts.items():
        share = count / whole
        console.print(f"  {name:<12}{count:>8,} {share:>6.1%}  {'█' * round(share * BAR_WIDTH)}")


def print_errors(console: Console, errors: Iterable[tuple[int | None, str | None, int]]) -> None:
    for code, text, count in errors:
        console.print(f"    {count:>7,} with {code}: {text}", markup=False)


def print_figures(console: Console, outcome: Outcome) -> None:
    tally = outcome.tally
    answers = ", ".join(f"{count:,} with {answer}" for answer, count in tally.answers.most_common())
    console.print(f"  {outcome.statuses:,} statuses in {outcome.bodies:,} webhooks; answers: {answers}")
    console.print(
        f"  acknowledged: {tally.statuses_acknowledged / outcome.acknowledged_seconds:,.0f} statuses/s; applied: "
        f"{tally.statuses_acknowledged / outcome.applied_seconds:,.0f} statuses/s{_pace(outcome)}"
    )
    console.print(f"  POST to answer: {Quantiles.of(tally.latencies) or 'nothing was answered'}")
    console.print(
        f"  POST to committed row: {Quantiles.of(outcome.latencies) or 'nothing was seen'} ({len(outcome.latencies):,} "
        f"statuses looked for every {POLL_SECONDS * 1000:.0f} ms, which is the resolution)"
    )
    if outcome.misdeeds.rows:
        rows = ", ".join(f"{misdeed.value} {number:,}" for misdeed, number in outcome.misdeeds.rows.items())
        errors = ", ".join(f"{number:,} {name}" for name, number in outcome.misdeeds.errors.items())
        console.print(f"  the platform's misdeeds, in rows: {rows}; its errors: {errors or 'none'}")
    if (events := outcome.events) is not None:
        console.print(
            f"  {events.heard:,} events heard; {events.meant:,} different ones meant, "
            f"{events.faults[Fault.DOUBLED].number:,} heard more than once"
        )


def _pace(outcome: Outcome) -> str:
    rate = outcome.scenario.pace.rate
    return f" (the sender was held to {rate:,.0f} webhooks/s)" if rate else ""


def print_proof(console: Console, proof: Proof) -> None:
    console.print(f"\n{'✔' if proof.holds else '✘'} {proof.claim}", style="green" if proof.holds else "bold red")
    for line in proof.sql.splitlines():
        console.print(f"    {line}", markup=False, highlight=False, style="dim", soft_wrap=True)
    console.print(_table(proof.columns, proof.rows))


def print_failure(console: Console, outcome: Outcome) -> None:
    """Why the play did not end well; nothing where it did."""
    given_up = sorted(outcome.tally.given_up.items())
    if given_up:
        some = ", ".join(f"number {place} ({answer})" for place, answer in given_up[:GIVEN_UP_SHOWN])
        console.print(f"✘ {len(given_up):,} webhooks never got a 200, among them {some}", style="bold red")
    for proof in outcome.verdict.proofs:
        if not proof.holds:
            console.print(f"✘ not so: {proof.claim}", style="bold red")
            console.print(_table(proof.columns, proof.rows))
    for difference in outcome.verdict.differences:
        console.print(f"  row {difference.row_id}", markup=False)
        console.print(f"    stored {difference.stored}\n    meant  {difference.meant}", markup=False)
    if outcome.misdeeds.deadlocks:
        console.print(f"✘ the platform was the victim of {outcome.misdeeds.deadlocks:,} deadlocks", style="bold red")
    if outcome.events is not None:
        _print_events_failure(console, outcome.events)


def _print_events_failure(console: Console, verdict: EventsVerdict) -> None:
    for fault, found in verdict.unforgiven.items():
        some = ", ".join(found.examples)
        console.print(
            f"✘ events {fault.value.replace('_', ' ')}: {found.number:,}, among them {some}",
            style="bold red",
            markup=False,
        )
    if not verdict.campaign_holds:
        console.print("✘ not so: The last record about the campaign says what its row says.", style="bold red")
        console.print(f"    heard {verdict.campaign_heard}\n    row   {verdict.campaign_row}", markup=False)


def _table(columns: tuple[str, ...], rows: tuple[tuple[Any, ...], ...]) -> Table:
    table = Table(*columns, header_style="")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    return table
