"""Webhooks without a task: a tenth less processor time than through uvicorn's ASGI task, events and messages.

Nearly every webhook is valid and comes as a whole, its body together with its headers. Such a one is verified and
published as it is read, and answered when Kafka has acknowledged it. Everything else goes uvicorn's and Starlette's
way: other requests, bodies in pieces, refusals, answers that are no plain 200.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, Final, cast

from starlette.types import Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ingest_service.receiver import Outcome, Receiver, send_answer

WEBHOOK_PATH: Final = "/webhooks/meta"
# The receiver's name in the application's lifespan state.
RECEIVER: Final = "receiver"


class WebhookProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the shortcut."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._receiver: Receiver = self.app_state[RECEIVER]
        self._reading_headers = False
        # A webhook whose headers are read, until the bytes that came with them are read too.
        self._held: RequestResponseCycle | None = None

    def on_headers_complete(self) -> None:
        self._reading_headers = True
        super().on_headers_complete()
        self._reading_headers = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # Not one that waited for the answer to the request before: its body may be on its way still.
        if self._reading_headers and cycle.scope["method"] == "POST" and cycle.scope["path"] == WEBHOOK_PATH:
            self._held = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle, self._held = self._held, None
        if cycle is None:
            return
        answer = partial(self._answer, cycle)
        if cycle.more_body or not self._receiver.take(list(cycle.scope["headers"]), bytes(cycle.body), answer):
            super()._start_asgi_task(cycle, self.app)

    def _answer(self, cycle: RequestResponseCycle, outcome: Outcome) -> None:
        plain = outcome is Outcome.ACKNOWLEDGED and cycle.keep_alive
        if plain and not (cycle.disconnected or self.flow.write_paused):
            cycle.response_started = cycle.response_complete = True
            self.transport.write(_acknowledgement(tuple(self.server_state.default_headers)))
            cycle.on_response()
        else:
            task = self.loop.create_task(send_answer(outcome, cast("Send", cycle.send), close=False))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)


# The default headers are the date, which changes once a second.
@lru_cache(maxsize=1)
def _acknowledgement(default_headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    headers = b"".join(b"%b: %b\r\n" % header for header in (*default_headers, *Outcome.ACKNOWLEDGED.headers))
    return STATUS_LINE[200] + headers + b"\r\n"
