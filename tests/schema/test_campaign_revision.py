"""Every change of what is published of a campaign has a revision of its own, whoever makes it."""

from uuid import UUID

import pytest

from tests.schema.campaign import Connection, create_campaign

PUBLISHED = ("total_recipients", "successful_sends", "failed_sends", "delivered_count", "read_count")


@pytest.fixture
def campaign(platform: Connection) -> UUID:
    """Give a campaign that has seen ten changes."""
    campaign = create_campaign(platform)
    platform.execute("UPDATE campaign_logs SET revision = 10, recounted_revision = 10 WHERE id = %s", [campaign])
    return campaign


def change(session: Connection, campaign: UUID, changes: str) -> object:
    """Make changes, and give the revision after them."""
    row = session.execute(f"UPDATE campaign_logs SET {changes} WHERE id = %s RETURNING revision", [campaign]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    "changes", ["status = 'paused'", "status = NULL", *(f"{column} = 7" for column in PUBLISHED), "failed_sends = NULL"]
)
def test_each_foreign_change_is_a_revision(platform: Connection, campaign: UUID, changes: str) -> None:
    assert change(platform, campaign, changes) == 11


def test_several_columns_at_once_are_one_revision_and_the_next_change_is_another(
    platform: Connection, campaign: UUID
) -> None:
    assert change(platform, campaign, "status = 'completed', total_recipients = 7, successful_sends = 7") == 11
    assert change(platform, campaign, "successful_sends = 6") == 12


@pytest.mark.parametrize(
    "changes",
    [
        "campaign_name = 'Other', campaign_data = '{}', error_message = 'x', created_at = now(), language_code = 'de'",
        "recounted_at = now(), recounted_revision = 9",
        "status = status, total_recipients = total_recipients, successful_sends = successful_sends",
    ],
)
def test_other_changes_and_equal_values_are_none(platform: Connection, campaign: UUID, changes: str) -> None:
    assert change(platform, campaign, changes) == 10


@pytest.mark.parametrize("changes", ["successful_sends = 7", "recounted_at = now()"])
def test_a_revision_that_status_service_counts_is_not_counted_twice(
    service: Connection, campaign: UUID, changes: str
) -> None:
    assert change(service, campaign, f"revision = revision + 1, {changes}") == 11


def test_a_recount_that_finds_nothing_is_no_revision(service: Connection, campaign: UUID) -> None:
    changes = "successful_sends = successful_sends + 0, revision = revision + 0, recounted_revision = 10"
    assert change(service, campaign, changes) == 10


@pytest.mark.parametrize("changes", ["revision = 3", "revision = 3, successful_sends = 7"])
def test_a_revision_never_goes_back(platform: Connection, campaign: UUID, changes: str) -> None:
    assert change(platform, campaign, changes) == 11


def test_a_changed_campaign_has_both_a_new_revision_and_a_new_time(platform: Connection, campaign: UUID) -> None:
    row = platform.execute(
        "UPDATE campaign_logs SET failed_sends = 7 WHERE id = %s"
        " RETURNING revision, updated_at = CURRENT_TIMESTAMP AT TIME ZONE 'UTC'",
        [campaign],
    ).fetchone()
    assert row == (11, True)
