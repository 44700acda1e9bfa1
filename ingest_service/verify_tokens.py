"""The verify tokens that customers set for their numbers, read from PostgreSQL."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Final

import asyncpg
import structlog

from ingest_service import metrics

QUERY: Final = Path(__file__).with_name("verify_tokens.sql").read_text(encoding="utf-8")
# Meta waits for the answer while somebody looks at its dashboard.
DEADLINE_SECONDS: Final = 3.0
# Strangers can ask with wrong tokens as often as they like; the database is asked this often at most.
FRESH_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class DatabaseTokens:
    """Reads the tokens when asked, with a connection for the occasion: verifications are rare."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._tokens: list[bytes] = []
        self._read_at = -FRESH_SECONDS
        self._reading = asyncio.Lock()

    async def __call__(self) -> Iterable[bytes]:
        """Give the tokens; those of the last reading if PostgreSQL does not answer."""
        async with self._reading:
            if monotonic() - self._read_at >= FRESH_SECONDS:
                try:
                    async with asyncio.timeout(DEADLINE_SECONDS):
                        self._tokens = await self._read()
                except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    log.warning("verify_tokens_not_read", error=type(error).__name__)
                    metrics.VERIFICATIONS.labels("database_away").inc()
                self._read_at = monotonic()
        return self._tokens

    async def _read(self) -> list[bytes]:
        connection = await asyncpg.connect(self._database_url, server_settings={"timezone": "UTC"})
        try:
            return [row["webhook_verify_token"].encode() for row in await connection.fetch(QUERY)]
        finally:
            await connection.close(timeout=DEADLINE_SECONDS)
