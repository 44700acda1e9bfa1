"""The verification that Meta makes when a callback address is set."""

import random

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.simulator.failure import SimulationError

# Nothing is slow about echoing a number.
ANSWER_DEADLINE_SECONDS = 10
PAUSE_SECONDS = 0.5


class UnansweredError(SimulationError):
    """Nobody was there."""


async def shake_hands(url: str, verify_token: str, chance: random.Random, patience_seconds: float = 0) -> str:
    """Give the challenge that came back. Meta sends no webhooks to an address that does not return it.

    Where nobody answers, whoever sets the address tries again for so long.
    """
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(UnansweredError),
        stop=stop_after_delay(patience_seconds),
        wait=wait_fixed(PAUSE_SECONDS),
        reraise=True,
    )
    challenge = str(chance.randrange(10**9, 10**10))
    await attempts(_ask, url, verify_token, challenge)
    return challenge


async def _ask(url: str, verify_token: str, challenge: str) -> None:
    parameters = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
    timeout = aiohttp.ClientTimeout(total=ANSWER_DEADLINE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, params=parameters, allow_redirects=False) as response,
        ):
            answer = await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnansweredError(f"the verification GET to {url} was not answered: {error!r}") from None
    if response.status != 200 or answer != challenge:
        raise SimulationError(f"the verification GET to {url} was answered {response.status} without the challenge")
