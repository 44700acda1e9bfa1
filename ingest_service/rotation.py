"""Secrets and verify tokens that are replaced while the service runs: their files are read again and again."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog
from pydantic import SecretStr

from ingest_service import metrics
from ingest_service.settings import IngestSettings
from shared.settings import SettingsError, read

# SIGHUP asks a worker for it at once.
PAUSE_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class Secrets(NamedTuple):
    """What proves a request to be Meta's, as bytes, which are what is compared."""

    app_secrets: tuple[bytes, ...]
    verify_tokens: tuple[bytes, ...]

    @classmethod
    def of(cls, settings: IngestSettings) -> "Secrets":
        return cls(_plain(settings.meta_app_secrets), _plain(settings.meta_verify_tokens))


class Rotation:
    """Tells of secrets that are others than before; what cannot be read, or holds none, changes nothing."""

    def __init__(self, current: Secrets, use: Callable[[Secrets], None]) -> None:
        self._current = current
        self._use = use
        self._readable = True
        metrics.SECRETS_READABLE.set(1)

    async def run(self) -> None:
        asked = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await asked.wait()
            asked.clear()
            self._turn()

    def _turn(self) -> None:
        try:
            found = Secrets.of(read(IngestSettings))
        except (SettingsError, OSError) as error:
            # The text names variables and files, never a value.
            if self._readable:
                log.error("secrets_not_read", error=str(error))  # noqa: TRY400 -- the reason is all there is to say
            self._readable = False
        else:
            if not self._readable:
                log.info("secrets_read_again")
            self._readable = True
            if found != self._current:
                self._current = found
                self._use(found)
                log.info("secrets_replaced", app_secrets=len(found.app_secrets), verify_tokens=len(found.verify_tokens))
        metrics.SECRETS_READABLE.set(self._readable)


def _plain(secrets: tuple[SecretStr, ...]) -> tuple[bytes, ...]:
    return tuple(secret.get_secret_value().encode() for secret in secrets)
