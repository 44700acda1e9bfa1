import asyncio
import random

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.integration.processes import free_port
from tests.simulator.failure import SimulationError
from tests.simulator.handshake import shake_hands


async def verify(request: web.Request) -> web.Response:
    query = request.query
    if (query["hub.mode"], query["hub.verify_token"]) != ("subscribe", "right & proper"):
        return web.Response(status=403)
    return web.Response(text=query["hub.challenge"])


async def answer_quoted(request: web.Request) -> web.Response:
    return web.json_response(request.query["hub.challenge"])


def application() -> web.Application:
    served = web.Application()
    served.router.add_get("/right", verify)
    served.router.add_get("/quoted", answer_quoted)
    return served


async def test_the_challenge_comes_back() -> None:
    async with TestServer(application()) as server:
        challenge = await shake_hands(str(server.make_url("/right")), "right & proper", random.Random(1))

    assert challenge.isdigit()
    assert len(challenge) == 10


@pytest.mark.parametrize(
    ("path", "token", "status"), [("/right", "wrong", 403), ("/quoted", "any", 200), ("/none", "any", 404)]
)
async def test_anything_but_200_and_the_bare_challenge_is_a_failure(path: str, token: str, status: int) -> None:
    async with TestServer(application()) as server:
        with pytest.raises(SimulationError, match=f"was answered {status} without the challenge"):
            await shake_hands(str(server.make_url(path)), token, random.Random(1))


async def test_a_receiver_that_comes_late_is_waited_for_as_long_as_that() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/right"
    asking = asyncio.create_task(shake_hands(url, "right & proper", random.Random(1), patience_seconds=30))
    with pytest.raises(SimulationError, match="was not answered"):
        await shake_hands(url, "right & proper", random.Random(1))
    async with TestServer(application(), port=port):
        assert (await asking).isdigit()
