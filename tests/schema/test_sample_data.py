import psycopg
import pytest

from schema.sample_data import load_sample_data
from tests.schema.test_seed import COLUMNS

Connection = psycopg.Connection[tuple[object, ...]]


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(url) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in COLUMNS}


def test_loading_twice_adds_nothing(sample_database: str) -> None:
    before = rows(sample_database)
    load_sample_data(sample_database)
    assert rows(sample_database) == before
    assert all(before.values())


@pytest.mark.parametrize(
    ("username", "password", "role"), [("primesms", "Primesms", "admin"), ("testuser", "test123", "user")]
)
def test_the_logins_work(connection: Connection, username: str, password: str, role: str) -> None:
    row = connection.execute("SELECT role, password FROM users WHERE username = %s", [username]).fetchone()
    assert row is not None
    assert row[0] == role
    assert str(row[1]).startswith("$2a$10$")
    assert len(str(row[1])) == 60
    if connection.execute("SELECT FROM pg_extension WHERE extname = 'pgcrypto'").fetchone() is not None:
        checked = connection.execute(
            "SELECT crypt(%(password)s, hash) = hash, crypt(%(password)s || 'x', hash) = hash"
            " FROM (SELECT password AS hash FROM users WHERE username = %(username)s) AS stored",
            {"username": username, "password": password},
        ).fetchone()
        assert checked == (True, False)


def test_the_campaigns_counts_are_those_of_its_rows(connection: Connection) -> None:
    counted = connection.execute(
        """
        SELECT campaign_id, count(*),
          count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read')), count(*) FILTER (WHERE status = 'failed'),
          count(*) FILTER (WHERE status IN ('delivered', 'read')), count(*) FILTER (WHERE status = 'read')
        FROM message_logs GROUP BY campaign_id
        """
    ).fetchall()
    stored = connection.execute(
        """
        SELECT id, total_recipients, successful_sends, failed_sends, delivered_count, read_count
        FROM campaign_logs WHERE status = 'completed'
        """
    ).fetchall()
    assert len(counted) == 1
    assert stored == counted


def test_the_messages_say_what_the_merge_rule_would(connection: Connection) -> None:
    wrong = connection.execute(
        """
        SELECT id FROM message_logs
        WHERE status IS DISTINCT FROM CASE
            WHEN read_at IS NOT NULL THEN 'read' WHEN delivered_at IS NOT NULL THEN 'delivered'
            WHEN failed_at IS NOT NULL THEN 'failed' WHEN sent_at IS NOT NULL THEN 'sent' END
          OR sent_at > delivered_at OR delivered_at > read_at
          OR proven <> num_nonnulls(sent_at) + 2 * num_nonnulls(delivered_at) + 4 * num_nonnulls(read_at)
            + 8 * num_nonnulls(failed_at)
          OR (status = 'failed') <> (error_message IS NOT NULL AND error_code IS NOT NULL)
        """
    ).fetchall()
    assert wrong == []


def test_every_number_is_a_fictional_one(connection: Connection) -> None:
    numbers = connection.execute(
        """
        SELECT phone_number FROM users UNION SELECT whatsapp_number FROM user_business_info
        UNION SELECT phone_number FROM whatsapp_numbers UNION SELECT recipient_number FROM message_logs
        """
    ).fetchall()
    assert len(numbers) == 13
    assert all(str(number).startswith("155501") for (number,) in numbers)
