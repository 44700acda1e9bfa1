"""The PostgreSQL side: a batch's evidence goes into message_logs and is counted, in one transaction."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential

from shared import postgres
from status_service.counts import Change, differences
from status_service.merge import Evidence

MERGE: Final = postgres.read_statement(__file__, "merge")
COUNT: Final = postgres.read_statement(__file__, "count")

# How long a start waits for a server that is starting too; a platform restarts us afterwards.
START_DEADLINE_SECONDS: Final = 30.0
# A batch of 5,000 takes 0.1 s; the server gives up first, so that we hear why.
STATEMENT_DEADLINE_SECONDS: Final = 30
CLIENT_DEADLINE_SECONDS: Final = STATEMENT_DEADLINE_SECONDS + 5
# The platform's transactions are short; a longer wait for one row would stop all the others of the batch.
LOCK_DEADLINE_SECONDS: Final = 2
CLOSE_DEADLINE_SECONDS: Final = 2.0

SESSION: Final = {
    "application_name": "status_service",
    "timezone": "UTC",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    # A plan made for one batch's values flips to a scan of the table: 148 ms a batch instead of 50.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": f"{STATEMENT_DEADLINE_SECONDS}s",
    "lock_timeout": f"{LOCK_DEADLINE_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{STATEMENT_DEADLINE_SECONDS}s",
}

log = structlog.get_logger(__name__)


class DatabaseUnavailableError(Exception):
    """PostgreSQL cannot be used; the text says why, without the password."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch: rows that changed, rows that said it all already, messages that have no row."""

    changed: int
    unchanged: int
    without_row: int


class Store:
    """One consumer's connections."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def apply(self, evidence: Mapping[str, Evidence]) -> Applied:
        """Merge the evidence, one entry a message, and count its campaigns. Raises what asyncpg raises."""
        columns = [list(column) for column in zip(*evidence.values(), strict=True)]
        async with (
            self._pool.acquire(timeout=postgres.CONNECT_DEADLINE_SECONDS) as connection,
            connection.transaction(),
        ):
            rows = await connection.fetch(MERGE, list(evidence), *columns)
            changes: list[Change] = [(row[1], row[2], row[3]) for row in rows]
            # Also for campaigns whose rows said it all already: their first status moves them on.
            if counts := differences(changes):
                await connection.execute(
                    COUNT, list(counts), *(list(column) for column in zip(*counts.values(), strict=True))
                )
        matched = len({row[0] for row in rows})
        written = sum(row[4] for row in rows)
        return Applied(written, len(rows) - written, len(evidence) - matched)

    async def reachable(self) -> bool:
        async with self._pool.acquire(timeout=postgres.CONNECT_DEADLINE_SECONDS) as connection:
            return bool(await connection.fetchval("SELECT true"))


@contextlib.asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Store]:
    """Connect, waiting for a server that is starting. Raises DatabaseUnavailableError."""
    attempts = AsyncRetrying(
        retry=retry_if_exception(postgres.passes),
        wait=wait_exponential(multiplier=0.2, max=3),
        stop=stop_after_delay(START_DEADLINE_SECONDS),
        reraise=True,
    )
    try:
        pool: asyncpg.Pool = await attempts(_pool, database_url)
    except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailableError(f"PostgreSQL: {str(error) or type(error).__name__}") from None
    try:
        yield Store(pool)
    finally:
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_SECONDS):
                await pool.close()
        except TimeoutError:
            log.warning("database_close_abandoned", deadline_seconds=CLOSE_DEADLINE_SECONDS)
            pool.terminate()


async def _pool(database_url: str) -> asyncpg.Pool:
    # One connection merges, one answers the probe.
    return await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=2,
        timeout=postgres.CONNECT_DEADLINE_SECONDS,
        command_timeout=CLIENT_DEADLINE_SECONDS,
        server_settings=SESSION,
        init=_find_deadlocks_first,
        # The default resets every setting after each use; we leave nothing behind that would need it.
        reset=_keep_settings,
    )


async def _keep_settings(_connection: asyncpg.Connection) -> None:
    pass


async def _find_deadlocks_first(connection: asyncpg.Connection) -> None:
    """Find a deadlock before the platform's session does, so that we repeat a batch and it is not the victim."""
    # The setting is the superuser's unless schema/roles.sql could grant it; without it only the luck differs.
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
        await connection.execute("SET deadlock_timeout = '100ms'")
