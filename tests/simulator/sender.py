"""Sends bodies as Meta does: what was not answered exactly 200 comes again, at first at once, then ever later."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import tenacity

from tests.simulator.disorder import Body
from tests.simulator.http_client import Poster
from tests.simulator.wire import encode_body, sign

HEADERS = {"Content-Type": "application/json", "User-Agent": "facebookexternalua", "Accept": "*/*"}
# A shell commonly allows 1,024 open files. Bodies that wait for a connection are late, and their latency shows it.
MAX_CONNECTIONS = 900
# Meta's pauses grow to hours; compressed, they grow to this.
LONGEST_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate` is in webhooks a second whatever the answers; 0 is as many as `concurrency` connections carry."""

    rate: float
    concurrency: int
    # Meta's own limit is not documented; others saw it give up between 3 and 10 seconds.
    answer_timeout_seconds: float
    first_pause_seconds: float
    give_up_seconds: float


@dataclass(slots=True)
class Tally:
    """What came of it so far; `answers` counts by status code, or by the name of the error where none came."""

    bodies_acknowledged: int = 0
    statuses_acknowledged: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    # In seconds, from the moment a POST was due to its answer, whatever the answer.
    latencies: list[float] = field(default_factory=list)
    # Bodies never answered 200, by their place in the sending order, with their last answer.
    given_up: dict[int, str] = field(default_factory=dict)


class Sender:
    def __init__(self, url: str, app_secret: bytes, pace: Pace, on_post: Callable[[int, float], None]) -> None:
        """`on_post` hears the place of each body and the monotonic time at which its first POST starts."""
        self.tally = Tally()
        self._url = url
        self._app_secret = app_secret
        self._pace = pace
        self._on_post = on_post

    async def send(self, bodies: Iterable[Body]) -> None:
        """Send until every body was answered 200 or given up."""
        limit = MAX_CONNECTIONS if self._pace.rate else self._pace.concurrency
        waiting = enumerate(bodies)
        async with (
            Poster(self._url, HEADERS, limit, self._pace.answer_timeout_seconds) as poster,
            asyncio.TaskGroup() as deliveries,
        ):
            if self._pace.rate:
                await self._send_at_rate(poster, waiting, deliveries)
            else:
                for _ in range(self._pace.concurrency):
                    deliveries.create_task(self._send_in_turn(poster, waiting, deliveries))

    async def _send_at_rate(
        self, poster: Poster, waiting: Iterator[tuple[int, Body]], deliveries: asyncio.TaskGroup
    ) -> None:
        begin = time.monotonic()
        for index, body in waiting:
            due = begin + index / self._pace.rate
            await asyncio.sleep(due - time.monotonic())
            deliveries.create_task(self._deliver(poster, index, body, due, deliveries))

    async def _send_in_turn(
        self, poster: Poster, waiting: Iterator[tuple[int, Body]], deliveries: asyncio.TaskGroup
    ) -> None:
        for index, body in waiting:
            await self._deliver(poster, index, body, time.monotonic(), deliveries)

    async def _deliver(self, poster: Poster, index: int, body: Body, due: float, deliveries: asyncio.TaskGroup) -> None:
        content = encode_body(body)
        delivery = _Delivery(poster, self.tally, content, sign(content, self._app_secret), body.count())
        self._on_post(index, time.monotonic())
        if await delivery.post(due) != "200":
            deliveries.create_task(self._deliver_again(index, delivery))

    async def _deliver_again(self, index: int, delivery: "_Delivery") -> None:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_result(lambda answer: answer != "200"),
            wait=tenacity.wait_exponential(multiplier=self._pace.first_pause_seconds, max=LONGEST_PAUSE_SECONDS),
            stop=tenacity.stop_before_delay(self._pace.give_up_seconds),
            retry_error_callback=_last_answer,
        )
        answer: str = await retrying(delivery.post_now)
        if answer != "200":
            self.tally.given_up[index] = answer


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One body, through all its attempts."""

    poster: Poster
    tally: Tally
    content: bytes
    signature: str
    statuses: int

    async def post(self, due: float) -> str:
        try:
            answer = str(await self.poster.post(self.content, self.signature))
        except OSError as error:
            answer = type(error).__name__
        else:
            self.tally.latencies.append(time.monotonic() - due)
        self.tally.answers[answer] += 1
        if answer == "200":
            self.tally.bodies_acknowledged += 1
            self.tally.statuses_acknowledged += self.statuses
        return answer

    async def post_now(self) -> str:
        return await self.post(time.monotonic())


async def _last_answer(state: tenacity.RetryCallState) -> str:
    if state.outcome is None:
        raise AssertionError("tenacity stops after an attempt, never before")
    return str(state.outcome.result())
