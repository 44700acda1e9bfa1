"""`python -m tests.attacks.strangers PORT SLOW`: those who mean no good, all at once, until the process is ended.

A thousand wrong signatures a second, each on a connection of its own; so many slow clients, that come again whenever
they are sent away; bodies of 3 MB without a pause.
"""

import asyncio
import contextlib
import sys

import uvloop

from ingest_service.protocol import allow_connections

WRONG_SIGNATURES_A_SECOND = 1000
# In groups: one timer a webhook would be most of the work.
GROUP = 20
DRIP_SECONDS = 1.0
LARGE_CLIENTS = 2
LARGE = 3_000_000
SIGNATURE = b"X-Hub-Signature-256: sha256=" + b"0" * 64
HEAD = b"POST /webhooks/meta HTTP/1.1\r\nHost: localhost\r\n" + SIGNATURE + b"\r\nContent-Length: %d\r\n\r\n"


async def ask(port: int, request: bytes) -> None:
    """Send a request and wait until the receiver closes."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            await writer.drain()
            await reader.read()
        finally:
            writer.transport.abort()


async def wrong_signatures(port: int) -> None:
    request = HEAD % 600 + b"{" * 600
    asking: set[asyncio.Task[None]] = set()
    while True:
        for _ in range(GROUP):
            task = asyncio.create_task(ask(port, request))
            asking.add(task)
            task.add_done_callback(asking.discard)
        await asyncio.sleep(GROUP / WRONG_SIGNATURES_A_SECOND)


async def slow(port: int, number: int) -> None:
    """Say a little every second: of the headers, or of a body."""
    beginning = HEAD % 600 if number % 2 else b"POST /webhooks/meta HTTP/1.1\r\nX-Slow: "
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(beginning)
                while not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(DRIP_SECONDS):
                            await reader.read()
            finally:
                writer.transport.abort()


async def large(port: int) -> None:
    request = HEAD % LARGE + b" " * LARGE
    while True:
        await ask(port, request)


async def attack(port: int, slow_clients: int) -> None:
    async with asyncio.TaskGroup() as attackers:
        attackers.create_task(wrong_signatures(port))
        for number in range(slow_clients):
            attackers.create_task(slow(port, number))
        for _ in range(LARGE_CLIENTS):
            attackers.create_task(large(port))


if __name__ == "__main__":
    allow_connections()
    uvloop.run(attack(int(sys.argv[1]), int(sys.argv[2])))
