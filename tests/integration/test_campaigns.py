"""Whole campaigns, played by the simulator, which knows what the tables must say in the end."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.integration.environment import Environment
from tests.integration.processes import free_port, run_to_end, running
from tests.integration.simulator import play
from tests.waiting import eventually


async def test_a_disordered_campaign_ends_as_meant(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    report = await play(
        environment, tmp_path / "report", "--recipients=3000", "--shuffle=all", "--duplicates=0.5", "--seed=1"
    )
    assert report["statuses"] > 3000
    assert report["given_up"] == {}
    # The simulator sends statuses of strangers too; they are counted, and named nowhere.
    async with http.get(f"{environment['STATUS_URL']}/metrics") as answer:
        values = dict(line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if not line.startswith("#"))
    assert float(values['status_messages_total{outcome="without_row"}']) > 0
    for log_file in environment.run_directory.glob("*.log"):
        assert b"wamid" not in log_file.read_bytes(), log_file


async def test_bodies_of_one_status_end_as_meant(environment: Environment, tmp_path: Path) -> None:
    report = await play(environment, tmp_path / "report", "--recipients=300", "--max-statuses=1", "--seed=2")
    assert report["bodies"] == report["statuses"] == report["statuses_acknowledged"]


def own_services(environment: Environment, name: str) -> tuple[Environment, dict[str, str]]:
    """Give settings for services with topics of their own: the stack's own consumer must not do their work."""
    port = str(free_port())
    names = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "META_APP_SECRETS", "META_VERIFY_TOKENS")
    settings = {name: environment[name] for name in names} | {
        "TOPIC_PREFIX": f"{name}.",
        "TOPIC_PARTITIONS": "3",
        "TOPIC_REPLICATION": "1",
        "CONSUMER_GROUP": name,
        "PORT": port,
        # Small, so that what happens meanwhile finds some statuses applied and some not.
        "BATCH_SIZE": "100",
    }
    return Environment(
        environment.values | {"INGEST_URL": f"http://127.0.0.1:{port}"}, environment.run_directory
    ), settings


@pytest.mark.slow
async def test_consumers_that_come_and_go_lose_nothing(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    own, settings = own_services(environment, "rebalanced")
    assert (await run_to_end("status_service", "topics", **settings))[0] == 0
    log = tmp_path / "services.log"
    async with running("ingest_service", log, http, **settings), running("status_service", log, http, **settings):
        playing = asyncio.create_task(
            play(own, tmp_path / "report", "--recipients=3000", "--rate=60", "--max-statuses=20", "--seed=5")
        )
        for _ in range(3):
            async with running("status_service", log, http, **settings) as visitor:
                visitor.process.send_signal(signal.SIGTERM)
                assert await visitor.end() == 0
        assert not playing.done(), "the visits were to fall into the play"
        assert (await playing)["holds"]


@pytest.mark.slow
async def test_what_was_acknowledged_survives_kill_9_of_both_services(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection, tmp_path: Path
) -> None:
    own, given = own_services(environment, "killed")
    assert (await run_to_end("status_service", "topics", **given))[0] == 0
    log = tmp_path / "services.log"
    before: int = await database.fetchval("SELECT count(*) FROM message_logs WHERE status <> 'pending'")

    async def applied(number: int) -> None:
        async def enough() -> bool:
            query = "SELECT count(*) FROM message_logs WHERE status <> 'pending'"
            return int(await database.fetchval(query)) >= before + number

        await eventually(enough)

    async with running("ingest_service", log, http, **given), running("status_service", log, http, **given):
        playing = asyncio.create_task(
            play(own, tmp_path / "report", "--recipients=3000", "--rate=100", "--max-statuses=20", "--seed=3")
        )
        await applied(200)
    # Both were killed, early in the campaign; Meta repeats what was not answered.
    async with running("ingest_service", log, http, **given):
        async with running("status_service", log, http, **given):
            await applied(600)
        # The consumer was killed once more.
        async with running("status_service", log, http, **given):
            report = await playing
    assert report["holds"]
    assert len(report["answers"]) > 1, "the kill was to be felt"
