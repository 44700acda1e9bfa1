"""Whatever comes: never a 500, never a dead worker, never a signed body lost, and memory that stays as it is.

`make fuzz` tries a million inputs; FUZZ_SEED repeats a run.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.local.stack import Stack
from shared.topics import RAW_TOPICS
from tests.fuzz import bodies
from tests.fuzz.play import ANSWER_SECONDS, SECRET, Play, asked, signature
from tests.integration.apart import Apart, apart
from tests.integration.kafka_records import each
from tests.integration.processes import Service, free_port, running
from tests.simulator.http_client import Poster

INPUTS = int(os.environ.get("FUZZ_INPUTS", "2000"))
SEED = os.environ.get("FUZZ_SEED", "1")
# The first third of a million warms up: what connections leave waits for the collector, which comes after some fifty
# thousand of them (app.GARBAGE_AT).
WARM_UP = 3
TIMES_AS_LARGE = 1.1


@dataclass(frozen=True, slots=True)
class Target:
    own: Apart
    service: Service
    url: str


@pytest.fixture(scope="module")
async def target(
    stack: Stack, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Target]:
    port = str(free_port())
    async with apart(stack, "fuzz", tmp_path_factory.mktemp("fuzz"), META_APP_SECRETS=SECRET) as own:
        given = {**own.settings, "META_VERIFY_TOKENS": "a-token-of-the-fuzz-run", "PORT": port}
        del given["DATABASE_URL"]
        async with running("ingest_service", own.log_file, http, **given) as service:
            yield Target(own, service, f"http://127.0.0.1:{port}/webhooks/meta")


async def test_whatever_comes_does_no_harm_and_nothing_signed_is_lost(target: Target) -> None:
    seen = Play(target.url, target.service.process.pid, INPUTS, SEED)
    await seen.run()
    print(f"seed {SEED}: {dict(sorted(seen.answers.items()))}")  # noqa: T201 -- pytest shows it with a failure
    assert seen.harmful == []
    assert len(seen.acknowledged) > INPUTS * 0.7
    assert target.service.process.returncode is None
    found: set[bytes] = set()
    async for record in each(target.own.bootstrap_servers, [target.own.topic(topic.suffix) for topic in RAW_TOPICS]):
        found.update(bodies.MARKER.findall(record.value))
    assert seen.acknowledged - found == set()
    log = await asyncio.to_thread(target.own.log_file.read_text)
    assert "Traceback" not in log
    warm, end = seen.mebibytes[len(seen.mebibytes) // WARM_UP], seen.mebibytes[-1]
    # A short run is over before the process is warm.
    if INPUTS >= 1_000_000:
        assert end / warm < TIMES_AS_LARGE, f"{warm:.0f} MiB when it was warm, {end:.0f} in the end"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
async def test_a_signed_body_is_taken_whatever_it_says(target: Target, contents: bytes) -> None:
    async with Poster(target.url, {}, 1, ANSWER_SECONDS) as poster:
        assert await poster.post(contents, signature(contents)) == 200


TOKEN = st.text("abcXYZ-256:= \t\x00\x7fé", max_size=40).map(lambda text: text.encode("latin-1"))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TOKEN | st.just(b"X-Hub-Signature-256"), value=TOKEN | st.binary(max_size=80))
async def test_a_header_of_a_stranger_is_refused(target: Target, name: bytes, value: bytes) -> None:
    lines = [
        b"POST /webhooks/meta HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Length: 2",
        name + b": " + value,
    ]
    assert (await asked(target.url, b"\r\n".join([*lines, b"", b"{}"])))[0] == "4"
