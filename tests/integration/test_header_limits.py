"""Whoever connects and does not come to the point is sent away, and whoever takes a moment is not."""

import asyncio
import contextlib
import socket
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from ingest_service.protocol import HEADER_BYTES, HEADER_SECONDS
from tests.integration.environment import Environment
from tests.integration.own_services import BODY, settings
from tests.integration.processes import Service, running
from tests.integration.raw_http import exchange, request, status_of, trickled
from tests.waiting import eventually

# HEADER_SECONDS fall between two pieces: one that comes after the answer resets the connection, and takes it away.
PAUSE_SECONDS = 0.75
# The answer to whose time is up comes within a sweep, and a busy machine's second.
LATER_SECONDS = 2.0


def signed(environment: Environment) -> bytes:
    """Write a webhook whose connection stays open."""
    signature = f"X-Hub-Signature-256: {environment.signed(BODY)['X-Hub-Signature-256']}"
    return request(signature, body=BODY).replace(b"Connection: close\r\n", b"")


def pieces(given: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in given]


@pytest.mark.parametrize(
    "given",
    [
        request("X-Large: " + "x" * HEADER_BYTES),
        request(*[f"X-{number}: {number}" for number in range(HEADER_BYTES // 8)]),
        b"POST /webhooks/meta?" + b"x" * HEADER_BYTES,
        b"POST /webhooks/meta HTTP/1.1\r\n" + b"X" * HEADER_BYTES,
        b"\r\n" * HEADER_BYTES,
    ],
    ids=["value", "number", "address", "name", "empty-lines"],
)
async def test_headers_that_are_too_large_are_refused(environment: Environment, given: bytes) -> None:
    # What is complete within one packet is judged as it is; these never are.
    unfinished = given.removesuffix(b"\r\n")
    assert status_of(await exchange(environment["INGEST_URL"], unfinished)) == 431


async def test_headers_that_are_complete_and_too_large_are_refused(environment: Environment) -> None:
    large = request("X-Large: " + "x" * HEADER_BYTES, body=BODY)
    assert status_of(await exchange(environment["INGEST_URL"], large)) == 431


async def test_a_large_webhook_with_half_of_the_next_is_answered(environment: Environment) -> None:
    body = BODY + b" " * (2 * HEADER_BYTES)
    signature = f"X-Hub-Signature-256: {environment.signed(body)['X-Hub-Signature-256']}"
    complete = request(signature, body=body).replace(b"Connection: close\r\n", b"")
    answer = await exchange(environment["INGEST_URL"], complete + complete[:50])
    assert [answer.count(f"HTTP/1.1 {status} ".encode()) for status in (200, 408, 431)] == [1, 1, 0]


async def test_too_many_requests_that_wait_for_no_answer_end_the_connection(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment)
    url = f"http://127.0.0.1:{given['PORT']}"
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:
        # What is still on its way when the connection closes can make that a reset.
        with contextlib.suppress(ConnectionError):
            await exchange(url, b"GET /webhooks/meta HTTP/1.1\r\n\r\n" * 5000)
        assert await metric(http, service, 'ingest_connections_refused_total{reason="malformed"}') == 1
        last = signed(environment).replace(b"Host:", b"Connection: close\r\nHost:")
        assert (await exchange(url, signed(environment) * 7 + last)).count(b"HTTP/1.1 200 ") == 8
    assert "Traceback" not in (tmp_path / "ingest.log").read_text()


async def test_who_says_nothing_or_too_little_has_its_time(environment: Environment) -> None:
    loop = asyncio.get_running_loop()
    url = environment["INGEST_URL"]
    began = loop.time()
    complete = signed(environment)
    answers = await asyncio.gather(
        exchange(url, b""),
        exchange(url, b"POST /webh"),
        exchange(url, request("X-Begun: 1").removesuffix(b"\r\n\r\n")),
        trickled(url, b"", pieces(request("X-Slow: " + "x" * 100)), PAUSE_SECONDS),
        # After an answer, too: the connection may be kept idle, but not with half of a request.
        exchange(url, complete, then=b"POST /webh"),
        trickled(url, complete, pieces(b"\r\n" * 50), PAUSE_SECONDS),
    )
    seconds = loop.time() - began
    *first, half, lines = answers
    assert [status_of(answer) for answer in first] == [408] * 4
    assert [answer.count(b"HTTP/1.1 200 ") for answer in (half, lines)] == [1, 1]
    assert [answer.count(b"HTTP/1.1 408 ") for answer in (half, lines)] == [1, 1]
    assert HEADER_SECONDS <= seconds < HEADER_SECONDS + LATER_SECONDS


@pytest.mark.slow
async def test_headers_in_pieces_are_read_and_an_idle_connection_is_kept(environment: Environment) -> None:
    parts = urlsplit(environment["INGEST_URL"])
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        for byte in signed(environment):
            writer.write(bytes([byte]))
            await writer.drain()
        assert status_of(await reader.readuntil(b"\r\n\r\n")) == 200
        # Longer than a request's headers may take: this is the time of Meta's next webhook.
        await asyncio.sleep(HEADER_SECONDS + LATER_SECONDS)
        writer.write(signed(environment))
        assert status_of(await reader.readuntil(b"\r\n\r\n")) == 200
        # Requests that do not wait for each other's answers are answered one after the other.
        writer.write(signed(environment) * 3)
        for _ in range(3):
            assert status_of(await reader.readuntil(b"\r\n\r\n")) == 200
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.slow
async def test_answers_that_nobody_reads_end_the_connection(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment, META_VERIFY_TOKENS="a-token-of-ours")
    # The longest answer there is: a challenge comes back as it was.
    query = b"hub.mode=subscribe&hub.verify_token=a-token-of-ours&hub.challenge=" + b"x" * (HEADER_BYTES // 2)
    asked = b"GET /webhooks/meta?" + query + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running("ingest_service", tmp_path / "ingest.log", http, **given):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(given["PORT"])))
        connection.setblocking(False)  # noqa: FBT003 -- the library's own

        async def is_full() -> bool:
            """Ask once more; nothing can be sent any more when the receiver waits for its answers to be read."""
            try:
                return connection.send(asked) < len(asked)
            except BlockingIOError:
                return True

        async def is_dropped() -> bool:
            with contextlib.suppress(BlockingIOError):
                try:
                    connection.send(asked)
                except ConnectionError:
                    return True
            return False

        try:
            await eventually(is_full)
            await eventually(is_dropped)
        finally:
            connection.close()


async def metric(http: aiohttp.ClientSession, service: Service, name: str) -> float:
    async with http.get(f"{service.internal_url}/metrics") as answer:
        (line,) = [line for line in (await answer.text()).splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


async def test_what_is_no_http_is_refused_counted_and_logged_once(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment)
    url = f"http://127.0.0.1:{given['PORT']}"
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:
        for odd in (b"\x16\x03\x01\x00\xa5", b"GET / HTTP/9.9\r\n\r\n", b"POST\x00 / HTTP/1.1\r\n\r\n", b"{}" * 100):
            assert status_of(await exchange(url, odd)) == 400
        assert status_of(await exchange(url, request("X: " + "x" * HEADER_BYTES).removesuffix(b"\r\n"))) == 431
        async with http.get(f"{service.internal_url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
    assert 'ingest_connections_refused_total{reason="malformed"} 4.0' in lines
    assert 'ingest_connections_refused_total{reason="headers_too_large"} 1.0' in lines
    assert (tmp_path / "ingest.log").read_text().count("Invalid HTTP request") == 1
