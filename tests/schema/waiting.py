"""Waits for what the server shows, with a deadline."""

from collections.abc import Callable

import psycopg
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

# Far above what any condition of these tests takes on a busy machine.
DEADLINE_SECONDS = 30.0


def wait_until(condition: Callable[[], bool]) -> None:
    Retrying(
        retry=retry_if_result(lambda value: value is False),
        stop=stop_after_delay(DEADLINE_SECONDS),
        wait=wait_fixed(0.02),
    )(condition)


def wait_until_someone_waits(url: str, kind: str, seconds: float = 0.0) -> None:
    """Wait until a session of this database has waited so long for a lock of that kind (`relation`, `virtualxid`)."""
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(
            lambda: (
                connection.execute(
                    """
                SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND locktype = %s AND datname = current_database()
                  AND clock_timestamp() - waitstart >= make_interval(secs => %s)
                """,
                    [kind, seconds],
                ).fetchone()
                == (True,)
            )
        )
