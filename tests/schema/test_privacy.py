"""docs/privacy.md: its statements erase a person, and it names every topic with its time."""

import re
from pathlib import Path

from shared.topics import DAY_MS, TOPICS
from tests.schema.campaign import Connection, create_campaign, notes

DOCUMENT = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
FORGET, KEEP_COUNTS = re.findall(r"```sql\n(.+?)```", DOCUMENT, re.DOTALL)
ROW = "SELECT status, sent_at::text, read_at::text, error_code, proven FROM message_logs WHERE campaign_id = %s"


def run(platform: Connection, statements: str, number: str) -> None:
    """Run them as psql does, one by one."""
    for statement in statements.replace(":'number'", f"'{number}'").split(";"):
        if statement.strip():
            platform.execute(statement)


def test_every_topic_and_its_time_is_named() -> None:
    rows = re.findall(r"^\| (`whatsapp\..+?`) \| .+ \| (.+?) \|$", DOCUMENT, re.MULTILINE)
    told = {name: kept for names, kept in rows for name in re.findall(r"`whatsapp\.([\w.-]+)`", names)}
    assert told == {
        topic.suffix: "for good (compacted)" if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS} days"
        for topic in TOPICS
    }


def test_a_person_is_forgotten(platform: Connection) -> None:
    campaign = create_campaign(platform, 3)
    run(platform, FORGET, "2")
    assert platform.execute(
        "SELECT recipient_number FROM message_logs WHERE campaign_id = %s", [campaign]
    ).fetchall() == [
        ("1",),
        ("3",),
    ]


def test_a_person_is_forgotten_and_what_became_of_the_message_is_not(platform: Connection, service: Connection) -> None:
    campaign = create_campaign(platform, 1)
    platform.execute(
        "UPDATE message_logs SET message_id = 'wamid.person', api_response = '{\"to\": 1}', status = 'read',"
        " proven = 7, sent_at = '2026-01-15 09:00', read_at = '2026-01-15 09:02' WHERE campaign_id = %s",
        [campaign],
    )
    before = platform.execute(ROW, [campaign]).fetchall()
    run(platform, KEEP_COUNTS, "1")
    assert platform.execute(ROW, [campaign]).fetchall() == before
    ((number, message_id, response),) = platform.execute(
        "SELECT recipient_number, message_id, api_response FROM message_logs WHERE campaign_id = %s", [campaign]
    ).fetchall()
    assert (message_id, response) == (None, None)
    assert number != "1"
    # The recount has a look at it, and finds nothing to do.
    assert notes(service, campaign) > 0
