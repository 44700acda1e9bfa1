"""Sessions in PostgreSQL, as everything here that writes needs them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential

from shared import postgres

OWN_OUTBOX: Final = postgres.read_statement(__file__, "own_outbox")

# How long a start waits for a server that is starting too; a platform restarts us afterwards.
START_DEADLINE_SECONDS: Final = 30.0
# A batch of 5,000 takes 0.1 s; the server gives up first, so that we hear why.
STATEMENT_DEADLINE_SECONDS: Final = 30
CLIENT_DEADLINE_SECONDS: Final = STATEMENT_DEADLINE_SECONDS + 5
# A wait of ours may be part of a circle, and the platform's session whose second of waiting (deadlock_timeout) ends
# meanwhile is the victim: so none is long. What takes longer is left for later.
LOCK_DEADLINE_MS: Final = 100
# A plan made while a table was nearly empty scans it for every message of a batch: thousands of rows later no statement
# ends in time. Making a plan anew takes 20 ms.
PLAN_LIFETIME_SECONDS: Final = 30
CLOSE_DEADLINE_SECONDS: Final = 2.0
# Four merge (consumer.BATCHES_AT_ONCE), one publishes campaigns, one each is for sweep, recount, outbox and changes;
# one is left for the probe.
CONNECTIONS: Final = 10

# Namespaces of advisory locks: a session that owns outbox entries, a campaign that is recounted, published, or counted.
OUTBOX_LOCKS: Final = 7077_0001
RECOUNT_LOCKS: Final = 7077_0002
CAMPAIGN_LOCKS: Final = 7077_0003
COUNT_LOCKS: Final = 7077_0004

SESSION: Final = {
    "application_name": "status_service",
    # How the triggers of schema/migrations tell our writes from the platform's.
    "prime_sms.writer": "status_service",
    "timezone": "UTC",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    # A plan made for one batch's values flips to a scan of the table: 148 ms a batch instead of 50.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": f"{STATEMENT_DEADLINE_SECONDS}s",
    "lock_timeout": f"{LOCK_DEADLINE_MS}ms",
    "idle_in_transaction_session_timeout": f"{STATEMENT_DEADLINE_SECONDS}s",
    # A machine that is lost says no farewell, and its sessions hold the locks on outbox entries and campaigns until the
    # server notices: after two hours by default, after half a minute with these.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "tcp_user_timeout": "30000",
}

log = structlog.get_logger(__name__)


class DatabaseUnavailableError(Exception):
    """PostgreSQL cannot be used; the text says why, without the password."""


Session: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class Database:
    """This process's sessions."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Lend a session; raises what asyncpg raises."""
        async with self._pool.acquire(timeout=postgres.CONNECT_DEADLINE_SECONDS) as session:
            try:
                yield session
            except (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError):
                # Whoever uses it next would wait, without a deadline, for the server to confirm that it cancelled; or
                # would find it as confused as it is.
                session.terminate()
                raise

    @contextlib.asynccontextmanager
    async def transaction(self, *, rolled_back: bool = False) -> AsyncIterator[Session]:
        """Lend a session in a transaction, which is committed with the block, or undone."""
        async with self.session() as session:
            transaction = session.transaction()
            await transaction.start()
            try:
                yield session
            except (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError):
                # The server does not answer, or nobody waits for it: the session's end undoes everything.
                raise
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if rolled_back else transaction.commit())

    async def reachable(self) -> bool:
        async with self.session() as session:
            return bool(await session.fetchval("SELECT true"))


@contextlib.asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Database]:
    """Connect, waiting for a server that is starting. Raises DatabaseUnavailableError."""
    attempts = AsyncRetrying(
        retry=retry_if_exception(postgres.passes),
        wait=wait_exponential(multiplier=0.2, max=3),
        stop=stop_after_delay(START_DEADLINE_SECONDS),
        reraise=True,
    )
    try:
        pool: asyncpg.Pool = await attempts(_pool, database_url)
    except postgres.ERRORS as error:
        raise DatabaseUnavailableError(f"PostgreSQL: {str(error) or type(error).__name__}") from None
    try:
        yield Database(pool)
    finally:
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_SECONDS):
                await pool.close()
        except TimeoutError:
            log.warning("database_close_abandoned", deadline_seconds=CLOSE_DEADLINE_SECONDS)
            pool.terminate()


async def _pool(database_url: str) -> asyncpg.Pool:
    pool: asyncpg.Pool = await asyncpg.create_pool(
        database_url,
        # The start needs one. Kept up, it would be connected anew all through an outage, with a traceback each time.
        init_size=1,
        min_size=0,
        max_size=CONNECTIONS,
        timeout=postgres.CONNECT_DEADLINE_SECONDS,
        command_timeout=CLIENT_DEADLINE_SECONDS,
        max_cached_statement_lifetime=PLAN_LIFETIME_SECONDS,
        server_settings=SESSION,
        # A session that is closed for idleness would give its outbox entries away.
        max_inactive_connection_lifetime=0,
        init=_introduce,
        # The default resets every setting after each use; we leave nothing behind that would need it.
        reset=_keep_settings,
    )
    return pool


async def _keep_settings(_session: asyncpg.Connection) -> None:
    pass


async def _introduce(session: asyncpg.Connection) -> None:
    """Find a deadlock before the platform's session does, and take a number for outbox entries."""
    try:
        # The least there is: a session of the platform looks a second after its own wait began, be it for another one
        # of the platform, and must not find a circle that we have just closed. At 100 ms it did, once in a play of 90 s
        # with six consumers (`make test-faults`). The setting is the superuser's unless schema/roles.sql could grant
        # it; without it only the luck differs.
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
            await session.execute("SET deadlock_timeout = '1ms'")
        await session.execute(OWN_OUTBOX, OUTBOX_LOCKS)
    except BaseException:
        # The pool would wait, without a deadline, for the server to hear that the session is closed.
        session.terminate()
        raise
