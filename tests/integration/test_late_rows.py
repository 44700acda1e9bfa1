"""Campaigns whose platform stores wamids late or never, or writes what it likes: all ends as meant, told once."""

from pathlib import Path

import aiohttp
import pytest

from deploy.local.stack import Stack
from tests.integration.apart import apart
from tests.integration.environment import Environment
from tests.integration.processes import free_port, running
from tests.integration.simulator import play


@pytest.mark.parametrize("rows", ["during", "after"])
async def test_rows_that_come_late_or_are_claimed_end_as_meant(
    environment: Environment, tmp_path: Path, rows: str
) -> None:
    report = await play(
        environment,
        tmp_path / "report",
        "--recipients=300",
        "--max-statuses=20",
        "--shuffle=all",
        f"--rows={rows}",
        "--callback-share=0.3",
        "--events=exactly-once",
        "--seed=11",
    )
    assert report["events"]["meant"] == report["events"]["heard"] > 300


async def test_a_rough_platform_is_put_right_and_never_a_deadlocks_victim(
    stack: Stack, environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    port = str(free_port())
    names = ("KAFKA_BOOTSTRAP_SERVERS", "META_APP_SECRETS", "META_VERIFY_TOKENS")
    receiver = {name: environment[name] for name in names} | {"TOPIC_PREFIX": "rough.", "PORT": port}
    async with (
        # A database of its own: what the stack's consumer adopted would be told on the stack's topics.
        apart(stack, "rough", tmp_path, RECONCILE_AFTER="2") as own,
        own.service(http),
        running("ingest_service", own.log_file, http, **receiver),
    ):
        theirs = {"INGEST_URL": f"http://127.0.0.1:{port}", "DATABASE_URL": own.owner_url, "TOPIC_PREFIX": "rough."}
        report = await play(
            Environment(environment.values | theirs, environment.run_directory),
            tmp_path / "report",
            "--recipients=200",
            "--max-statuses=4",
            "--rate=75",
            "--platform=rough",
            "--lock-seconds=1",
            "--rows=during",
            "--callback-share=0.1",
            "--events=exactly-once",
            "--seed=12",
        )
    platform = report["platform"]
    assert set(platform["rows"]) == {
        "sent_uncounted",
        "failed_over_delivery",
        "nonsense_counts",
        "rows_held",
        "opposite_order",
    }
    assert (platform["deadlocks"], platform["errors"]) == (0, {})
