import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from tests.simulator.disorder import Body, Disorder, Shuffle, Sizes, make_bodies
from tests.simulator.sender import Pace, Sender
from tests.simulator.wire import encode_body, sign
from tests.unit.simulator.material import a_plan

SECRET = b"test_app_secret"
# No two of them alike, so that a repetition is one.
BODIES = list(
    dict.fromkeys(make_bodies(a_plan(recipients=10).statuses, Disorder(1, 0, Shuffle.NONE, Sizes.SKEWED), seed=1))
)
# Small waits, so that the tests are quick; none of them is waited for in vain.
PACE = Pace(rate=0, concurrency=4, answer_timeout_seconds=5, first_pause_seconds=0.01, give_up_seconds=5)

Answer = Callable[[bytes, int], Awaitable[web.StreamResponse]]


class Receiver:
    """Answers each body as told: `answer` gets its bytes and how often they came before."""

    def __init__(self, answer: Answer) -> None:
        self.url = ""
        self.received: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._answer = answer

    async def receive(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        before = self.received.count(content)
        self.received.append(content)
        self.headers.append(dict(request.headers))
        return await self._answer(content, before)


@contextlib.asynccontextmanager
async def receiving(answer: Answer) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    application = web.Application(client_max_size=2**22)
    application.router.add_post("/webhooks/meta", receiver.receive)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        receiver.url = f"http://127.0.0.1:{port}/webhooks/meta"
        yield receiver
    finally:
        await runner.cleanup()


def heard_nothing(_place: int, _moment: float) -> None:
    """Nobody watches the POSTs of these tests."""


async def always_ok(_content: bytes, _before: int) -> web.StreamResponse:
    return web.Response()


async def test_every_body_arrives_signed_and_is_counted() -> None:
    posted: list[int] = []
    async with receiving(always_ok) as receiver:
        sender = Sender(receiver.url, SECRET, PACE, lambda place, _moment: posted.append(place))
        await sender.send(BODIES)

    assert sorted(receiver.received) == sorted(encode_body(body) for body in BODIES)
    for content, headers in zip(receiver.received, receiver.headers, strict=True):
        assert headers["X-Hub-Signature-256"] == sign(content, SECRET)
        assert headers["Content-Type"] == "application/json"
        assert headers["User-Agent"] == "facebookexternalua"
    assert sorted(posted) == list(range(len(BODIES)))
    assert sender.tally.answers == {"200": len(BODIES)}
    assert sender.tally.statuses_acknowledged == sum(body.count() for body in BODIES)
    assert len(sender.tally.latencies) == len(BODIES)


@pytest.mark.parametrize("refusal", [201, 204, 302, 401, 500, 503])
async def test_whatever_is_not_200_is_repeated_until_it_is(refusal: int) -> None:
    async def refuse_twice(_content: bytes, before: int) -> web.StreamResponse:
        return web.Response(status=refusal if before < 2 else 200)

    async with receiving(refuse_twice) as receiver:
        sender = Sender(receiver.url, SECRET, PACE, heard_nothing)
        await sender.send(BODIES)

    assert sender.tally.answers == {str(refusal): 2 * len(BODIES), "200": len(BODIES)}
    assert sender.tally.bodies_acknowledged == len(BODIES)
    assert not sender.tally.given_up


async def test_a_closed_connection_is_a_reason_to_repeat() -> None:
    async def close_at_first(content: bytes, before: int) -> web.StreamResponse:
        return web.Response(headers={"Connection": "close"}, status=500) if before < 1 else await always_ok(content, 1)

    async with receiving(close_at_first) as receiver:
        sender = Sender(receiver.url, SECRET, PACE, heard_nothing)
        await sender.send(BODIES)

    assert sender.tally.bodies_acknowledged == len(BODIES)


async def test_a_refused_connection_is_given_up_and_named() -> None:
    async with receiving(always_ok) as receiver:
        url = receiver.url
    pace = Pace(rate=0, concurrency=4, answer_timeout_seconds=5, first_pause_seconds=0.01, give_up_seconds=0.05)

    sender = Sender(url, SECRET, pace, heard_nothing)
    await sender.send(BODIES[:3])

    assert set(sender.tally.given_up) == {0, 1, 2}
    assert set(sender.tally.given_up.values()) == set(sender.tally.answers)
    assert sender.tally.bodies_acknowledged == 0


async def test_a_body_that_is_never_accepted_is_given_up_with_its_last_answer() -> None:
    never_this = encode_body(BODIES[1])

    async def refuse_one(content: bytes, _before: int) -> web.StreamResponse:
        return web.Response(status=503 if content == never_this else 200)

    pace = Pace(rate=0, concurrency=4, answer_timeout_seconds=5, first_pause_seconds=0.01, give_up_seconds=0.1)
    async with receiving(refuse_one) as receiver:
        sender = Sender(receiver.url, SECRET, pace, heard_nothing)
        await sender.send(BODIES)

    assert sender.tally.given_up == {1: "503"}
    assert sender.tally.bodies_acknowledged == len(BODIES) - 1
    assert 2 < receiver.received.count(never_this) < 10


async def test_an_answer_that_takes_too_long_is_none() -> None:
    held = asyncio.Event()

    async def hold_the_first(_content: bytes, before: int) -> web.StreamResponse:
        if before == 0:
            await held.wait()
        else:
            held.set()
        return web.Response()

    pace = Pace(rate=0, concurrency=4, answer_timeout_seconds=0.2, first_pause_seconds=0.01, give_up_seconds=5)
    async with receiving(hold_the_first) as receiver:
        sender = Sender(receiver.url, SECRET, pace, heard_nothing)
        await sender.send(BODIES[:1])

    assert sender.tally.answers == {"TimeoutError": 1, "200": 1}


async def test_late_answers_do_not_slow_a_sender_that_keeps_a_rate() -> None:
    everything_is_here = asyncio.Event()

    async def answer_when_all_have_come(_content: bytes, _before: int) -> web.StreamResponse:
        if len(receiver.received) == len(BODIES):
            everything_is_here.set()
        await everything_is_here.wait()
        return web.Response()

    pace = Pace(rate=500, concurrency=1, answer_timeout_seconds=5, first_pause_seconds=0.01, give_up_seconds=5)
    async with receiving(answer_when_all_have_come) as receiver:
        sender = Sender(receiver.url, SECRET, pace, heard_nothing)
        begin = time.monotonic()
        await sender.send(BODIES)
        took = time.monotonic() - begin

    assert sender.tally.answers == {"200": len(BODIES)}
    assert took >= (len(BODIES) - 1) / 500
    assert max(sender.tally.latencies) > (len(BODIES) - 2) / 500


async def test_no_more_are_under_way_than_the_concurrency_allows() -> None:
    under_way = 0
    most = 0

    async def count(_content: bytes, _before: int) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return web.Response()

    async with receiving(count) as receiver:
        await Sender(receiver.url, SECRET, PACE, heard_nothing).send(BODIES)

    assert 1 <= most <= PACE.concurrency


async def test_a_body_of_a_thousand_statuses_goes_through() -> None:
    statuses = tuple(a_plan(recipients=1000).statuses[:1000])
    async with receiving(always_ok) as receiver:
        sender = Sender(receiver.url, SECRET, PACE, heard_nothing)
        await sender.send([Body(((statuses,),))])

    assert sender.tally.statuses_acknowledged == 1000
    assert len(receiver.received[0]) > 300_000
