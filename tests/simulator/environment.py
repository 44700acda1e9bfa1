"""The environment variables that the local stack gives."""

import os
from dataclasses import dataclass
from typing import Self

from tests.simulator.failure import SimulationError

WEBHOOK_PATH = "/webhooks/meta"


@dataclass(frozen=True, slots=True)
class Environment:
    webhook_url: str
    database_url: str
    app_secret: bytes
    verify_token: str
    kafka_bootstrap_servers: str
    topic_prefix: str

    @classmethod
    def read(cls) -> Self:
        return cls(
            webhook_url=_required("INGEST_URL").rstrip("/") + WEBHOOK_PATH,
            database_url=_required("DATABASE_URL"),
            app_secret=_first_of("META_APP_SECRETS").encode(),
            verify_token=_first_of("META_VERIFY_TOKENS"),
            kafka_bootstrap_servers=_required("KAFKA_BOOTSTRAP_SERVERS"),
            topic_prefix=os.environ.get("TOPIC_PREFIX", "whatsapp."),
        )


def _first_of(name: str) -> str:
    return _required(name).split(",")[0].strip()


def _required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise SimulationError(f"{name} is not set: run this under `python -m deploy.local run --`")
    return value
