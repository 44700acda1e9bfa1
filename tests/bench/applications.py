"""`python -m tests.bench.applications NAME`: what the receiver is measured beside, on the same server settings.

`bare` is what no receiver can beat: it reads the body and answers 200. `obvious` is what one would write first: verify,
parse, publish every status and wait for Kafka.
"""

import contextlib
import hashlib
import hmac
import json
import os
import sys
from collections.abc import AsyncIterator

import uvicorn
from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest_service.__main__ import SERVER
from ingest_service.receiver import Outcome

HEADERS = Outcome.ACKNOWLEDGED.headers


async def bare(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer as the receiver does."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b""})


def obvious() -> ASGIApp:
    """Publish every status of a signed webhook to Kafka, one after the other."""
    secret = os.environ["META_APP_SECRETS"].encode()
    topic = os.environ["TOPIC_PREFIX"] + "raw.status"
    # aiokafka's clients want a running event loop when they are made.
    producers: list[AIOKafkaProducer] = []

    @contextlib.asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], acks="all")
        await producer.start()
        producers.append(producer)
        yield
        await producer.stop()

    async def webhook(request: Request) -> Response:
        body = await request.body()
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
            return Response(status_code=401)
        for entry in json.loads(body)["entry"]:
            for change in entry["changes"]:
                for status in change["value"].get("statuses", ()):
                    await producers[0].send_and_wait(topic, json.dumps(status).encode(), key=status["id"].encode())
        return Response()

    return Starlette(routes=[Route("/webhooks/meta", webhook, methods=["POST"])], lifespan=lifespan)


# As the receiver is served, but by uvicorn's own protocol: without limits, as one would write it first.
PLAIN = SERVER | {"http": "httptools"}


def main() -> None:
    application = {"bare": lambda: bare, "obvious": obvious}[sys.argv[1]]()
    uvicorn.run(application, host=os.environ["HOST"], port=int(os.environ["PORT"]), lifespan="auto", **PLAIN)


if __name__ == "__main__":
    main()
