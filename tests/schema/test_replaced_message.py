"""A row that gets another message's id forgets what was proven of the message before."""

from uuid import UUID

import pytest

from tests.schema.campaign import Connection, create_campaign

EVIDENCE = (
    "status = 'read', sent_at = '2026-01-15 09:00', delivered_at = '2026-01-15 09:01', read_at = '2026-01-15 09:02',"
    " failed_at = '2026-01-15 09:03', error_code = 131026, error_message = 'Message undeliverable', proven = 15"
)
PROVEN = (
    "read", "2026-01-15 09:00:00", "2026-01-15 09:01:00", "2026-01-15 09:02:00", "2026-01-15 09:03:00", 131026,
    "Message undeliverable", 15,
)  # fmt: skip
NOTHING = ("pending", None, None, None, None, None, None, 0)


def message_with_evidence(platform: Connection, message_id: str | None) -> UUID:
    """Give the campaign whose only message has this id, and evidence of everything."""
    campaign = create_campaign(platform, 1)
    platform.execute(
        f"UPDATE message_logs SET message_id = %s, api_response = '{{}}', {EVIDENCE} WHERE campaign_id = %s",
        [message_id, campaign],
    )
    return campaign


def evidence(session: Connection, campaign: UUID) -> object:
    return session.execute(
        "SELECT status, sent_at::text, delivered_at::text, read_at::text, failed_at::text, error_code,"
        " error_message, proven FROM message_logs WHERE campaign_id = %s",
        [campaign],
    ).fetchone()


@pytest.mark.parametrize("new", ["wamid.new", "", None])
@pytest.mark.parametrize("writer", ["platform", "service"])
def test_another_message_or_none_starts_anew(
    request: pytest.FixtureRequest, platform: Connection, writer: str, new: str | None
) -> None:
    campaign = message_with_evidence(platform, "wamid.old")
    session: Connection = request.getfixturevalue(writer)
    session.execute("UPDATE message_logs SET message_id = %s WHERE campaign_id = %s", [new, campaign])
    assert evidence(session, campaign) == NOTHING


@pytest.mark.parametrize("old", [None, ""])
@pytest.mark.parametrize("writer", ["platform", "service"])
def test_the_first_message_id_changes_nothing_else(
    request: pytest.FixtureRequest, platform: Connection, writer: str, old: str | None
) -> None:
    campaign = message_with_evidence(platform, old)
    session: Connection = request.getfixturevalue(writer)
    session.execute("UPDATE message_logs SET message_id = 'wamid.first' WHERE campaign_id = %s", [campaign])
    assert evidence(session, campaign) == PROVEN


def test_the_same_message_id_again_changes_nothing(platform: Connection) -> None:
    campaign = message_with_evidence(platform, "wamid.old")
    platform.execute("UPDATE message_logs SET message_id = 'wamid.old' WHERE campaign_id = %s", [campaign])
    assert evidence(platform, campaign) == PROVEN


def test_what_the_same_statement_sets_stays(platform: Connection) -> None:
    campaign = message_with_evidence(platform, "wamid.old")
    platform.execute(
        "UPDATE message_logs SET message_id = 'wamid.new', status = 'failed', sent_at = '2026-01-16 09:00',"
        " error_message = 'No route' WHERE campaign_id = %s",
        [campaign],
    )
    assert evidence(platform, campaign) == ("failed", "2026-01-16 09:00:00", None, None, None, None, "No route", 0)


def test_every_value_that_the_same_statement_sets_stays(platform: Connection) -> None:
    campaign = message_with_evidence(platform, "wamid.old")
    platform.execute(
        "UPDATE message_logs SET message_id = 'wamid.new', status = 'sent', sent_at = sent_at + '1 day'::interval,"
        " delivered_at = delivered_at + '1 day'::interval, read_at = read_at + '1 day'::interval,"
        " failed_at = failed_at + '1 day'::interval, error_code = 1, error_message = 'One' WHERE campaign_id = %s",
        [campaign],
    )
    times = [f"2026-01-16 09:0{minute}:00" for minute in range(4)]
    assert evidence(platform, campaign) == ("sent", *times, 1, "One", 0)


def test_the_rest_of_the_row_stays(platform: Connection) -> None:
    campaign = message_with_evidence(platform, "wamid.old")
    rest = "SELECT id, campaign_id, recipient_number, api_response, created_at FROM message_logs WHERE campaign_id = %s"
    before = platform.execute(rest, [campaign]).fetchall()
    platform.execute("UPDATE message_logs SET message_id = 'wamid.new' WHERE campaign_id = %s", [campaign])
    assert platform.execute(rest, [campaign]).fetchall() == before


def test_sending_again_by_an_upsert_replaces_too(platform: Connection) -> None:
    campaign = message_with_evidence(platform, "wamid.old")
    platform.execute(
        "INSERT INTO message_logs (campaign_id, recipient_number, message_id, status)"
        " VALUES (%s, '1', 'wamid.new', 'sent') ON CONFLICT (campaign_id, recipient_number)"
        " DO UPDATE SET message_id = excluded.message_id, status = excluded.status",
        [campaign],
    )
    assert evidence(platform, campaign) == ("sent", *NOTHING[1:])
