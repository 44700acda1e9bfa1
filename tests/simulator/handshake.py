"""The verification that Meta makes when a callback address is set."""

import random

import aiohttp

from tests.simulator.failure import SimulationError

# Nothing is slow about echoing a number.
ANSWER_DEADLINE_SECONDS = 10


async def shake_hands(url: str, verify_token: str, chance: random.Random) -> str:
    """Give the challenge that came back. Meta sends no webhooks to an address that does not return it."""
    challenge = str(chance.randrange(10**9, 10**10))
    parameters = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
    timeout = aiohttp.ClientTimeout(total=ANSWER_DEADLINE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, params=parameters, allow_redirects=False) as response,
        ):
            answer = await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SimulationError(f"the verification GET to {url} was not answered: {error!r}") from None
    if response.status != 200 or answer != challenge:
        raise SimulationError(f"the verification GET to {url} was answered {response.status} without the challenge")
    return challenge
