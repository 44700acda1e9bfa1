"""Logging: one JSON object a line on standard output, ours and the libraries' alike."""

import logging
import sys
from time import monotonic
from typing import Final

import structlog

# Quiet when all is well; and aiokafka writes keys and values at DEBUG, which are personal data: a wamid holds a number.
LIBRARIES: Final = ("aiokafka", "asyncio", "uvicorn", "kafka")

# Without its brokers aiokafka says the same thirty times a second, for as long as that lasts: a gigabyte a day. uvicorn
# has a line for each request of a stranger that is no HTTP.
REPEATING: Final = ("aiokafka", "uvicorn")
REPEATED_AFTER_SECONDS: Final = 10.0


class Seldom(logging.Filter):
    """Lets each line of these libraries through once in REPEATED_AFTER_SECONDS, whatever broker it names."""

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(REPEATING):
            return True
        place, now = (record.pathname, record.lineno), monotonic()
        if now < self._next.get(place, now):
            return False
        self._next[place] = now + REPEATED_AFTER_SECONDS
        return True


def configure(level: str, service: str) -> None:
    """Send every log line of this process to standard output, at least as severe as `level`."""

    def name_service(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    shared_processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared_processors,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_processors,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(Seldom())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLevelName(level)))
