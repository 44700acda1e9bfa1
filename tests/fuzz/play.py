"""Sends signed bodies and strangers' requests to a receiver, many at once, and notes what it answers."""

import asyncio
import hashlib
import hmac
import random
from collections import Counter
from urllib.parse import urlsplit

import psutil

from tests.fuzz import bodies, strangers
from tests.simulator.http_client import Poster

SECRET = "a-secret-of-the-fuzz-run"
AT_ONCE = 32
# One in so many inputs is a stranger's: each is a connection of its own.
STRANGERS = 4
# A receiver that is busy may ask for that.
TRIES = 20
ANSWER_SECONDS = 20.0
MEBIBYTE = 2**20
SAMPLES = 100


class Play:
    """A number of inputs; the same seed makes the same ones, though not in the same order."""

    def __init__(self, url: str, process: int, inputs: int, seed: str) -> None:
        self.acknowledged: set[bytes] = set()
        self.answers: Counter[str] = Counter()
        self.harmful: list[tuple[str, bytes]] = []
        self.mebibytes: list[float] = []
        self._url = url
        self._process = psutil.Process(process)
        self._chance = random.Random(seed)
        self._left = inputs
        self._sample_every = max(1, inputs // SAMPLES)

    async def run(self) -> None:
        headers = {"Content-Type": "application/json"}
        async with Poster(self._url, headers, AT_ONCE, ANSWER_SECONDS) as poster, asyncio.TaskGroup() as senders:
            for _ in range(AT_ONCE):
                senders.create_task(self._send(poster))

    async def _send(self, poster: Poster) -> None:
        while self._left > 0:
            self._left -= 1
            number = self._left
            await (self._stranger() if number % STRANGERS == 0 else self._signed(poster))
            if number % self._sample_every == 0:
                self.mebibytes.append(self._process.memory_info().rss / MEBIBYTE)

    async def _signed(self, poster: Poster) -> None:
        marker = f"Q{self._chance.getrandbits(64):016x}"
        body = bodies.body(self._chance, marker)
        for _ in range(TRIES):
            try:
                status = str(await poster.post(body, signature(body)))
            except (OSError, TimeoutError) as error:
                status = type(error).__name__
            self.answers[f"signed {status}"] += 1
            if status != "503":
                break
        if status == "200":
            self.acknowledged.add(marker.encode())
        else:
            self.harmful.append((status, body))

    async def _stranger(self) -> None:
        request = strangers.request(self._chance)
        status = await asked(self._url, request)
        self.answers[f"stranger {status}"] += 1
        if status == "hung" or status.startswith("5"):
            self.harmful.append((status, request))


def signature(body: bytes) -> str:
    return f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"


async def asked(url: str, request: bytes) -> str:
    """Send a stranger's bytes and our end; give the answer's status, or what came instead."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.write(request)
            writer.write_eof()
            answer = await reader.read()
    except TimeoutError:
        return "hung"
    except ConnectionError:
        return "closed"
    finally:
        writer.transport.abort()
    return answer[9:12].decode("latin-1") if answer else "closed"
