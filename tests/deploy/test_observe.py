"""A real Prometheus reads the running services with our rules, each of which it can evaluate."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from deploy.local.observe import configuration, prometheus
from deploy.local.stack import inherited_environment
from tests.conftest import ROOT
from tests.documents.boards import BOARDS
from tests.integration.environment import Environment
from tests.integration.own_services import BODY
from tests.integration.test_webhooks import post
from tests.unavailable import prometheus as lacking
from tests.waiting import DEADLINE_SECONDS, eventually

Answer = dict[str, Any]


class Observer:
    """A running Prometheus."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self._address = address
        self._http = http

    async def ask(self, path: str, **parameters: str) -> Answer:
        async with self._http.get(f"{self._address}/api/v1/{path}", params=parameters) as answer:
            found: Answer = await answer.json()
        assert found["status"] == "success", found
        data: Answer = found["data"]
        return data

    async def value(self, query: str) -> float | None:
        result = (await self.ask("query", query=query))["result"]
        return float(result[0]["value"][1]) if result else None


@pytest.fixture(scope="module")
async def observer(
    environment: Environment, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Observer]:
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("prometheus")
    running = prometheus(directory, configuration(environment.values, interval="1s"))
    address = await asyncio.to_thread(running.__enter__)
    try:
        yield Observer(address, http)
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def test_both_services_are_scraped(observer: Observer) -> None:
    async def both_are_up() -> bool:
        return await observer.value('count(up{job=~"ingest_service|status_service"} == 1)') == 2

    await eventually(both_are_up)


async def test_what_is_answered_is_seen(
    observer: Observer, environment: Environment, http: aiohttp.ClientSession
) -> None:
    async def answered() -> float:
        return await observer.value('outcome:ingest_answers:rate5m{outcome="acknowledged"}') or 0.0

    async def posted_and_seen() -> bool:
        assert await post(http, environment, BODY) == 200
        return await answered() > 0

    await eventually(posted_and_seen)


async def test_every_rule_can_be_evaluated_and_no_alert_fires(observer: Observer) -> None:
    async def evaluated() -> list[Answer]:
        groups = (await observer.ask("rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if all(rule["health"] != "unknown" for rule in rules) else []

    rules = await eventually(evaluated)
    assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
    # What others tests have dead-lettered is no fault of this one.
    states = {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}
    assert {name for name, state in states.items() if state == "firing"} <= {"DeadLetters", "BodiesUnroutable"}


@pytest.mark.parametrize("name", BOARDS)
async def test_every_query_of_a_dashboard_has_an_answer(observer: Observer, name: str) -> None:
    for _, panels in BOARDS[name].rows:
        for panel in panels:
            for query in panel.queries:
                # An error is no success; what has not happened yet has no value.
                assert isinstance((await observer.ask("query", query=query.expression))["result"], list), panel.title


async def test_the_command_prints_an_address_that_answers_and_ends_with_ctrl_c(
    environment: Environment, http: aiohttp.ClientSession
) -> None:
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.local.observe",
        cwd=ROOT,
        env={**inherited_environment(), **environment.values},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            said = (await process.stdout.readline()).decode()
        (address,) = re.findall(r"(http://\S+)/alerts", said)
        async with http.get(f"{address}/-/healthy") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await process.wait() == 0
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(f"{address}/-/healthy")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
