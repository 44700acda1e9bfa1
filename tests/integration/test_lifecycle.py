"""How the services start, refuse to start, and end."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from deploy.local.stack import inherited_environment
from tests.conftest import ROOT
from tests.integration.environment import Environment
from tests.integration.own_services import BODY, post, settings
from tests.integration.processes import free_port, run_to_end, running
from tests.integration.raw_http import exchange, request, status_of
from tests.waiting import DEADLINE_SECONDS, eventually

# What the receiver promises.
END_SECONDS = 10.0


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("ingest_service", "META_APP_SECRETS"),
        ("ingest_service", "META_VERIFY_TOKENS"),
        ("ingest_service", "KAFKA_BOOTSTRAP_SERVERS"),
        ("status_service", "DATABASE_URL"),
    ],
)
async def test_a_missing_setting_is_named(environment: Environment, module: str, missing: str) -> None:
    given = settings(environment)
    del given[missing]
    status, output = await run_to_end(module, **given)
    assert (status, output) == (2, f"configuration: {missing}: Field required\n")


@pytest.mark.parametrize("module", ["ingest_service", "status_service"])
async def test_missing_topics_are_named(environment: Environment, module: str) -> None:
    status, output = await run_to_end(module, **settings(environment, TOPIC_PREFIX="nowhere."))
    assert status == 1
    assert "missing topics: nowhere." in output
    assert "nowhere.raw.status" in output
    assert "python -m status_service topics" in output
    assert "Traceback" not in output


async def test_topics_are_created_once_and_checked(environment: Environment) -> None:
    given = settings(environment, TOPIC_PREFIX="created.", TOPIC_PARTITIONS="2", TOPIC_REPLICATION="1")
    assert await run_to_end("status_service", "topics", **given) == (
        0,
        "15 topics as the services need them, 15 of them new\n",
    )
    assert await run_to_end("status_service", "topics", **given) == (
        0,
        "15 topics as the services need them, 0 of them new\n",
    )


async def test_sigterm_ends_the_receiver_after_what_is_in_flight(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment)
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:
        posts = [asyncio.create_task(post(http, environment, given["PORT"])) for _ in range(50)]
        assert await posts[0] == 200
        service.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*posts, return_exceptions=True)
        assert await service.end() == 0
    # Whoever was connected got an answer, a busy broker's 503 among them; the others were refused a connection.
    assert all(answer in {200, 503} or isinstance(answer, aiohttp.ClientConnectionError) for answer in answers), answers


async def test_sigterm_ends_the_consumer(environment: Environment, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with running("status_service", tmp_path / "status.log", http, **settings(environment)) as service:
        service.process.send_signal(signal.SIGTERM)
        began = monotonic()
        assert await service.end() == 0
        assert monotonic() - began < 15


async def test_workers_share_the_port_and_their_metrics(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment, WORKERS="2")
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:
        for _ in range(20):
            async with aiohttp.ClientSession() as client:  # a connection each, so that both workers get some
                assert await post(client, environment, given["PORT"]) == 200
        async with http.get(f"{service.internal_url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        assert 'ingest_answers_total{outcome="acknowledged"} 20.0' in lines
        assert "ingest_requests_in_flight 0.0" in lines
        service.process.send_signal(signal.SIGTERM)
        began = monotonic()
        assert await service.end() == 0
        assert monotonic() - began < 10


async def test_too_much_in_flight_is_answered_503(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment, MAX_BYTES_IN_FLIGHT=str(8 * 1024 * 1024))
    async with running("ingest_service", tmp_path / "ingest.log", http, **given):
        assert await post(http, environment, given["PORT"]) == 200
        # Bodies that never end: three times 3 MiB are more than may be held.
        unfinished = request(f"X-Hub-Signature-256: sha256={'0' * 64}", body=b" " * (3 * 1024 * 1024), length=4_000_000)
        url = f"http://127.0.0.1:{given['PORT']}"
        clients = [asyncio.create_task(exchange(url, unfinished)) for _ in range(3)]

        # Two wait until their time is up; the third was too much. Then there is room again.
        assert sorted(status_of(answer) for answer in await asyncio.gather(*clients)) == [408, 408, 503]
        assert await post(http, environment, given["PORT"]) == 200


async def test_a_hanging_broker_is_answered_503_and_stops_nobody(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The broker is stopped with SIGSTOP: it takes connections and never answers."""
    broker = int((environment.run_directory / "kafka.pid").read_text())
    given = settings(environment, PUBLISH_TIMEOUT="1")
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:
        assert await post(http, environment, given["PORT"]) == 200
        os.kill(broker, signal.SIGSTOP)
        try:
            began = monotonic()
            url = f"http://127.0.0.1:{given['PORT']}/webhooks/meta"
            async with http.post(url, data=BODY, headers=environment.signed(BODY)) as answer:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) > 0
            assert 0.9 < monotonic() - began < 5
            service.process.send_signal(signal.SIGTERM)
            began = monotonic()
            assert await service.end() == 0
            assert monotonic() - began < 10
        finally:
            os.kill(broker, signal.SIGCONT)


async def test_the_receiver_goes_on_when_the_broker_does(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    broker = int((environment.run_directory / "kafka.pid").read_text())
    given = settings(environment, PUBLISH_TIMEOUT="1")
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:

        async def ready() -> bool:
            async with http.get(f"{service.internal_url}/health/ready") as answer:
                return answer.status == 200

        async def not_ready() -> bool:
            return not await ready()

        os.kill(broker, signal.SIGSTOP)
        try:
            assert await post(http, environment, given["PORT"]) == 503
            await eventually(not_ready)
        finally:
            os.kill(broker, signal.SIGCONT)
        await eventually(ready)
        assert await post(http, environment, given["PORT"]) == 200


async def test_a_hanging_broker_does_not_hold_the_consumer(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    broker = int((environment.run_directory / "kafka.pid").read_text())
    async with running("status_service", tmp_path / "status.log", http, **settings(environment)) as service:
        os.kill(broker, signal.SIGSTOP)
        try:
            service.process.send_signal(signal.SIGTERM)
            began = monotonic()
            assert await service.end() == 0
            assert monotonic() - began < 15
        finally:
            os.kill(broker, signal.SIGCONT)


async def test_a_receiver_that_is_still_connecting_ends_when_told(environment: Environment) -> None:
    """A worker connects by itself, after its parent has checked the topics; here it is alone, and Kafka hangs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)  # noqa: FBT003 -- the standard library's signature
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        given = settings(environment, KAFKA_BOOTSTRAP_SERVERS=address, INTERNAL_PORT=str(free_port()))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "uvicorn", "ingest_service.app:create", "--factory", f"--port={given['PORT']}"),
            cwd=ROOT,
            env=inherited_environment() | given,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            accepting = asyncio.get_running_loop().sock_accept(silent)
            connection, _ = await asyncio.wait_for(accepting, DEADLINE_SECONDS)
            with connection:
                process.send_signal(signal.SIGTERM)
                # Connecting goes on for half a minute.
                await asyncio.wait_for(process.wait(), END_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
