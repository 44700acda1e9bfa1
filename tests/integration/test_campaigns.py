"""Whole campaigns, played by the simulator, which knows what the tables must say in the end."""

import asyncio
from pathlib import Path

import aiohttp
import asyncpg

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


async def test_what_was_acknowledged_survives_kill_9_of_both_services(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection, tmp_path: Path
) -> None:
    """The services have topics of their own here: the stack's own consumer must not do their work."""
    prefix = {"TOPIC_PREFIX": "killed.", "TOPIC_PARTITIONS": "3", "TOPIC_REPLICATION": "1"}
    names = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "META_APP_SECRETS", "META_VERIFY_TOKENS")
    given = (
        {name: environment[name] for name in names} | prefix | {"PORT": str(free_port()), "CONSUMER_GROUP": "killed"}
    )
    # Small batches, so that a kill finds some applied and some not.
    given |= {"BATCH_SIZE": "100"}
    assert (await run_to_end("status_service", "topics", **given))[0] == 0
    own = Environment(
        environment.values | {"INGEST_URL": f"http://127.0.0.1:{given['PORT']}"}, environment.run_directory
    )
    log = tmp_path / "services.log"
    before: int = await database.fetchval("SELECT count(*) FROM message_logs WHERE status <> 'pending'")

    async def applied(number: int) -> None:
        async def enough() -> bool:
            query = "SELECT count(*) FROM message_logs WHERE status <> 'pending'"
            return int(await database.fetchval(query)) >= before + number

        await eventually(enough)

    async with running("ingest_service", log, http, **given), running("status_service", log, http, **given) as consumer:
        playing = asyncio.create_task(
            play(own, tmp_path / "report", "--recipients=3000", "--rate=100", "--max-statuses=20", "--seed=3")
        )
        await applied(200)
        consumer.process.kill()
        await consumer.end()
        async with running("status_service", log, http, **given):
            await applied(600)
    # Both are gone now, in the middle of the campaign; Meta repeats what was not answered.
    async with running("ingest_service", log, http, **given), running("status_service", log, http, **given):
        report = await playing
    assert report["holds"]
    assert len(report["answers"]) > 1, "the kill was to be felt"
