"""`python -m ingest_service` starts the receiver."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from types import FrameType
from typing import Any, Final, NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from ingest_service.protocol import UNREAD_SECONDS, LimitedProtocol, allow_connections
from ingest_service.settings import IngestSettings
from shared import kafka, logs
from shared.settings import read_or_exit
from shared.topics import RAW_TOPICS

# Requests in flight wait for Kafka for PUBLISH_TIMEOUT at most (3 s by default); with the publisher's own stop (4 s)
# and the internal listener's (1 s) a worker leaves within the 10 s that platforms grant.
DRAIN_SECONDS: Final = 4
# Meta keeps its connections; a longer pause than its own between two webhooks saves handshakes.
KEEP_ALIVE_SECONDS: Final = 75

# How uvicorn serves the public listener.
SERVER: Final[dict[str, Any]] = {
    "http": LimitedProtocol,
    "ws": "none",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    "timeout_graceful_shutdown": DRAIN_SECONDS,
}


class _Workers(Multiprocess):
    """Workers that stay at SIGHUP, where uvicorn would replace them: they read their secrets again by themselves."""

    def handle_hup(self) -> None:
        pass


def main() -> None:
    # Until there is something to read again; the default would end the service.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = read_or_exit(IngestSettings)
    logs.configure(settings.log_level, "ingest_service")
    try:
        asyncio.run(kafka.check_topics(settings, RAW_TOPICS))
    except (kafka.KafkaUnavailableError, kafka.TopicsError) as error:
        sys.stderr.write(f"ingest_service: {error}\n")
        raise SystemExit(1) from None
    allow_connections()
    # uvicorn raises the signal again when it is done; that is a clean end, and the directory below is removed.
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory(prefix="ingest-metrics-") as directory:
        if settings.workers > 1:
            # prometheus_client adds the workers' metrics up from files in this directory.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        config = uvicorn.Config(
            "ingest_service.app:create",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            **SERVER,
        )
        # Open before a worker says that it is ready: uvicorn's own opens when the application has started.
        listening = config.bind_socket()
        listening.listen(config.backlog)
        # Accepted connections have this from their listener; only Linux knows it.
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))
        # uvicorn raises Ctrl-C again when it is done, too.
        with contextlib.suppress(KeyboardInterrupt):
            if settings.workers > 1:
                _Workers(config, sockets=[listening]).run()
            else:
                uvicorn.Server(config).run(sockets=[listening])


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
