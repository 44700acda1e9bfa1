"""The verify tokens that customers set for their numbers, read from PostgreSQL."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Final

import asyncpg
import structlog

from shared import postgres

QUERY: Final = Path(__file__).with_name("verify_tokens.sql").read_text(encoding="utf-8")
# Meta waits for the answer while somebody looks at its dashboard; also the wait for another's reading is within it.
DEADLINE_SECONDS: Final = 3.0
# Strangers can ask with wrong tokens as often as they like; the database is asked no more often than this.
PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class DatabaseTokens:
    """Reads the tokens when asked, with a connection for the occasion: verifications are rare."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._tokens: list[bytes] = []
        self._read_at = -PAUSE_SECONDS
        self._reading = asyncio.Lock()

    async def __call__(self) -> Iterable[bytes]:
        """Give the tokens as they are now; those of the last reading if PostgreSQL does not answer.

        Whoever asks while a reading waits for its turn shares it, so a token that was just stored is always found.
        """
        asked_at = monotonic()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS), self._reading:
                if self._read_at < asked_at:
                    await asyncio.sleep(self._read_at + PAUSE_SECONDS - monotonic())
                    self._read_at = monotonic()
                    self._tokens = await self._read()
        except postgres.ERRORS as error:
            log.warning("verify_tokens_not_read", error=postgres.reason(error))
        return self._tokens

    async def _read(self) -> list[bytes]:
        connection = await asyncpg.connect(self._database_url, server_settings={"timezone": "UTC"})
        try:
            rows = await connection.fetch(QUERY)
            await connection.close()
        finally:
            # A server that hangs would not hear a farewell, and the deadline is over.
            connection.terminate()
        return [row["webhook_verify_token"].encode() for row in rows]
