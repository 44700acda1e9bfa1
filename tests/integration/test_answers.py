"""What the receiver answers, request by request."""

import asyncio
import io

import aiohttp
import asyncpg
import pytest

from tests.integration.environment import Environment
from tests.integration.raw_http import exchange, request, status_of, trickled

BODY = b'{"object":"whatsapp_business_account","entry":[]}'
MEBIBYTE = 1024 * 1024


def signature(environment: Environment, body: bytes = BODY) -> str:
    return environment.signed(body)["X-Hub-Signature-256"]


async def test_a_signed_body_is_acknowledged(environment: Environment) -> None:
    answer = await exchange(
        environment["INGEST_URL"], request(f"X-Hub-Signature-256: {signature(environment)}", body=BODY)
    )
    assert status_of(answer) == 200


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["X-Hub-Signature-256: "],
        ["X-Hub-Signature-256: {good}", "X-Hub-Signature-256: {good}"],
        ["X-Hub-Signature-256: {good}", "X-Hub-Signature-256: sha256=00"],
        ["X-Hub-Signature-256: {short}"],
        ["X-Hub-Signature-256: {other}"],
        ["X-Hub-Signature-256: sha256=" + "z" * 64],
        ["X-Hub-Signature-256: sha256=" + "\xe9" * 64],
        ["X-Hub-Signature-256: \xff\xfe"],
        ["X-Hub-Signature: sha1=" + "0" * 40],
    ],
    ids=["missing", "empty", "doubled", "doubled-and-wrong", "short", "wrong", "no-hex", "no-ascii", "bytes", "sha1"],
)
async def test_a_bad_signature_is_refused(environment: Environment, lines: list[str]) -> None:
    good = signature(environment)
    values = {"good": good, "short": good[:-1], "other": signature(environment, BODY + b" ")}
    headers = [line.format(**values) for line in lines]
    answer = await exchange(environment["INGEST_URL"], request(*headers, body=BODY))
    assert status_of(answer) == 401
    assert good.encode() not in answer


@pytest.mark.parametrize("size", [4 * MEBIBYTE + 1, 64 * MEBIBYTE])
async def test_a_body_declared_too_large_is_refused_unread(environment: Environment, size: int) -> None:
    headers = [f"X-Hub-Signature-256: {signature(environment)}"]
    answer = await exchange(environment["INGEST_URL"], request(*headers, body=b"{", length=size))
    assert status_of(answer) == 413


async def test_a_body_that_turns_out_too_large_is_refused(environment: Environment) -> None:
    chunk = b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"
    headers = [f"X-Hub-Signature-256: {signature(environment)}", "Transfer-Encoding: chunked"]
    answer = await exchange(environment["INGEST_URL"], request(*headers), then=chunk * 5 + b"0\r\n\r\n")
    assert status_of(answer) == 413


async def test_a_large_body_is_refused_also_to_a_client_that_sends_it_all(
    environment: Environment, http: aiohttp.ClientSession
) -> None:
    body = b" " * (5 * MEBIBYTE)
    async with http.post(environment.webhook_url, data=io.BytesIO(body), headers=environment.signed(body)) as answer:
        assert answer.status == 413


async def test_a_body_of_exactly_the_limit_is_taken(environment: Environment, http: aiohttp.ClientSession) -> None:
    body = BODY + b" " * (4 * MEBIBYTE - len(BODY))
    async with http.post(environment.webhook_url, data=io.BytesIO(body), headers=environment.signed(body)) as answer:
        assert answer.status == 200


async def test_a_content_encoding_is_refused(environment: Environment) -> None:
    headers = [f"X-Hub-Signature-256: {signature(environment)}", "Content-Encoding: gzip"]
    answer = await exchange(environment["INGEST_URL"], request(*headers, body=BODY))
    assert status_of(answer) == 415


async def test_a_body_that_stops_is_answered_and_its_connection_closed(environment: Environment) -> None:
    headers = [f"X-Hub-Signature-256: {signature(environment)}"]
    began = asyncio.get_running_loop().time()
    answer = await exchange(environment["INGEST_URL"], request(*headers, body=b"{", length=100))
    assert status_of(answer) == 408
    assert 1.9 < asyncio.get_running_loop().time() - began < 4.5, "the body had BODY_PAUSE_TIMEOUT, 2 s, to go on"


async def test_a_body_that_trickles_is_answered_and_its_connection_closed(environment: Environment) -> None:
    headers = [f"X-Hub-Signature-256: {signature(environment)}"]
    began = asyncio.get_running_loop().time()
    answer = await trickled(environment["INGEST_URL"], request(*headers, length=100), [b" "] * 100, 0.2)
    assert status_of(answer) == 408
    assert 4.9 < asyncio.get_running_loop().time() - began < 7.5, "the body had BODY_TIMEOUT, 5 s, to arrive"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/webhooks/meta", 405),
        ("DELETE", "/webhooks/meta", 405),
        ("POST", "/webhooks/meta/", 404),
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
        ("GET", "/health/live", 404),
        ("GET", "/health/ready", 404),
    ],
)
async def test_the_public_listener_serves_nothing_else(
    environment: Environment, http: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with http.request(method, environment["INGEST_URL"] + path, allow_redirects=False) as answer:
        assert answer.status == status
        # A body that nobody wants may have no end.
        assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(("line", "status"), [(b"POST /other", 404), (b"PUT /webhooks/meta", 405)])
async def test_who_sends_a_body_elsewhere_hears_the_answer(environment: Environment, line: bytes, status: int) -> None:
    head = line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n"
    assert status_of(await trickled(environment["INGEST_URL"], head, [b" " * 100_000] * 80, 0.001)) == status


async def verify(http: aiohttp.ClientSession, environment: Environment, **query: str) -> tuple[int, str]:
    parameters = {f"hub.{name}": value for name, value in query.items()}
    async with http.get(environment.webhook_url, params=parameters) as answer:
        return answer.status, await answer.text()


async def test_metas_verification_gets_its_challenge(environment: Environment, http: aiohttp.ClientSession) -> None:
    token = environment["META_VERIFY_TOKENS"].split(",")[0]
    parameters = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": token}
    async with http.get(environment.webhook_url, params=parameters) as answer:
        assert (answer.status, await answer.text()) == (200, "1158201444")
        assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "change",
    [
        {"verify_token": "wrong"},
        {"verify_token": ""},
        {"verify_token": "ünïcode"},
        {"mode": "unsubscribe"},
        {"mode": ""},
    ],
)
async def test_another_verification_is_refused(
    environment: Environment, http: aiohttp.ClientSession, change: dict[str, str]
) -> None:
    good = {"mode": "subscribe", "challenge": "1", "verify_token": environment["META_VERIFY_TOKENS"].split(",")[0]}
    status, _text = await verify(http, environment, **(good | change))
    assert status == 403


async def test_a_verification_without_a_challenge_is_refused(
    environment: Environment, http: aiohttp.ClientSession
) -> None:
    token = environment["META_VERIFY_TOKENS"].split(",")[0]
    assert (await verify(http, environment, mode="subscribe", verify_token=token))[0] == 403


async def test_the_tokens_of_active_customers_count(
    environment: Environment, http: aiohttp.ClientSession, database: asyncpg.Connection
) -> None:
    user_id = await database.fetchval(
        "INSERT INTO users (name, email, username, password) VALUES ('t', 't', 't', '') RETURNING id"
    )
    await database.execute(
        "INSERT INTO user_business_info (user_id, webhook_verify_token) VALUES ($1, 'of-a-business')", user_id
    )
    await database.execute(
        """INSERT INTO whatsapp_numbers (user_id, phone_number_id, phone_number, access_token, webhook_verify_token,
        is_active) VALUES ($1, '1', '1', '', 'of-a-number', true), ($1, '2', '2', '', 'of-an-idle-number', false)""",
        user_id,
    )
    query = {"mode": "subscribe", "challenge": "7"}
    try:
        assert await verify(http, environment, verify_token="of-a-business", **query) == (200, "7")
        assert await verify(http, environment, verify_token="of-a-number", **query) == (200, "7")
        assert (await verify(http, environment, verify_token="of-an-idle-number", **query))[0] == 403
    finally:
        await database.execute("DELETE FROM users WHERE id = $1", user_id)


@pytest.mark.parametrize("name", ["INGEST_INTERNAL_URL", "STATUS_URL"])
async def test_the_internal_listeners_tell_health_and_metrics(
    environment: Environment, http: aiohttp.ClientSession, name: str
) -> None:
    for path, expected in [("/health/live", "alive"), ("/health/ready", '"broker":true'), ("/metrics", "_total")]:
        async with http.get(environment[name] + path) as answer:
            assert answer.status == 200
            assert expected in await answer.text()
