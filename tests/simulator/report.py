"""An outcome as JSON, for the programs that start a play."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.simulator.ledger import EventsVerdict
from tests.simulator.play import Outcome
from tests.simulator.quantiles import Quantiles


def write_report(outcome: Outcome, file: Path) -> None:
    scenario, tally = outcome.scenario, outcome.tally
    latencies = {"answer_ms": Quantiles.of(tally.latencies), "post_to_row_ms": Quantiles.of(outcome.latencies)}
    report = {
        "holds": outcome.holds,
        "seed": scenario.seed,
        "start": scenario.start,
        "campaign_id": str(outcome.campaign_id),
        "recipients": scenario.recipients,
        "rate": scenario.pace.rate,
        "rows": scenario.rows.value,
        "callback_share": scenario.callback_share,
        "bodies": outcome.bodies,
        "statuses": outcome.statuses,
        "bodies_acknowledged": tally.bodies_acknowledged,
        "statuses_acknowledged": tally.statuses_acknowledged,
        "answers": dict(tally.answers),
        "given_up": {str(place): answer for place, answer in sorted(tally.given_up.items())},
        "acknowledged_seconds": round(outcome.acknowledged_seconds, 3),
        "applied_seconds": round(outcome.applied_seconds, 3),
        **{name: None if figures is None else asdict(figures) for name, figures in latencies.items()},
        "latency_samples": len(outcome.latencies),
        "proofs": [
            {"claim": proof.claim, "holds": proof.holds, "rows": proof.rows} for proof in outcome.verdict.proofs
        ],
        "differences": [asdict(difference) for difference in outcome.verdict.differences],
        "platform": _platform(outcome),
        "events": None if outcome.events is None else _events(outcome.events),
    }
    file.write_text(json.dumps(report, indent=2, default=str) + "\n", encoding="utf-8")


def _events(verdict: EventsVerdict) -> dict[str, Any]:
    campaign = {"heard": verdict.campaign_heard, "row": verdict.campaign_row}
    return {
        "wanted": verdict.wanted.value,
        "holds": verdict.holds,
        "meant": verdict.meant,
        "heard": verdict.heard,
        "faults": {fault.value: asdict(found) for fault, found in verdict.faults.items()},
        "campaign": {name: None if one is None else one.model_dump(mode="json") for name, one in campaign.items()},
        "campaign_holds": verdict.campaign_holds,
        "revisions_down": verdict.revisions_down,
    }


def _platform(outcome: Outcome) -> dict[str, Any]:
    misdeeds = outcome.misdeeds
    return {
        "manners": outcome.scenario.platform.value,
        "rows": {misdeed.value: number for misdeed, number in misdeeds.rows.items()},
        "deadlocks": misdeeds.deadlocks,
        "errors": dict(misdeeds.errors),
    }
