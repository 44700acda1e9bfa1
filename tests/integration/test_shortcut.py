"""Webhooks that come as a whole and those that do not are answered alike."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.integration.environment import Environment
from tests.webhooks import webhooks

BODY = webhooks()["status_delivered"]


@contextlib.asynccontextmanager
async def connected(environment: Environment) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(environment["INGEST_URL"])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    async with asyncio.timeout(10):
        yield reader, writer
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def request(signature: str, *lines: str) -> bytes:
    head = ["POST /webhooks/meta HTTP/1.1", "Host: localhost", f"Content-Length: {len(BODY)}", *lines]
    return "\r\n".join([*head, f"X-Hub-Signature-256: {signature}", "", ""]).encode() + BODY


def webhook(environment: Environment, *lines: str) -> bytes:
    return request(environment.signed(BODY)["X-Hub-Signature-256"], *lines)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Read one answer without a body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines if line)


async def test_answers_to_both_look_alike(environment: Environment) -> None:
    whole = webhook(environment)
    async with connected(environment) as (reader, writer):
        writer.write(whole)
        at_once = await answer(reader)
        writer.write(whole[:-10])
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(whole[-10:])
        in_pieces = await answer(reader)
    assert at_once[0] == in_pieces[0] == 200
    assert {name: value for name, value in at_once[1].items() if name != "date"} == {
        name: value for name, value in in_pieces[1].items() if name != "date"
    }
    assert at_once[1].keys() == in_pieces[1].keys()


async def test_a_connection_is_kept_for_many(environment: Environment) -> None:
    async with connected(environment) as (reader, writer):
        for _ in range(10):
            writer.write(webhook(environment))
            assert (await answer(reader))[0] == 200


@pytest.mark.parametrize("cut", [0, 10, 500])
async def test_webhooks_sent_without_a_wait_are_answered_in_order(environment: Environment, cut: int) -> None:
    good, bad = webhook(environment), request("wrong")
    sent = good * 3 + bad
    async with connected(environment) as (reader, writer):
        writer.write(sent[: len(sent) - cut])
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(sent[len(sent) - cut :])
        assert [(await answer(reader))[0] for _ in range(4)] == [200, 200, 200, 401]


async def test_a_client_that_wants_to_close_is_closed(environment: Environment) -> None:
    async with connected(environment) as (reader, writer):
        writer.write(webhook(environment, "Connection: close"))
        status, headers = await answer(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await reader.read() == b""


async def test_a_client_that_leaves_disturbs_nobody(environment: Environment) -> None:
    for _ in range(20):
        async with connected(environment) as (_, writer):
            writer.write(webhook(environment))
            await writer.drain()
            writer.transport.abort()
    async with connected(environment) as (reader, writer):
        writer.write(webhook(environment))
        assert (await answer(reader))[0] == 200
