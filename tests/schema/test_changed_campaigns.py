"""Whose changes of a message's status are noted, and how often."""

from uuid import UUID

import psycopg
import pytest

from tests.schema.campaign import Connection, create_campaign, notes

SET_SENT = "UPDATE message_logs SET status = 'sent' WHERE campaign_id = %s"
SET_PENDING = "UPDATE message_logs SET status = 'pending' WHERE campaign_id = %s"


@pytest.fixture
def campaign(platform: Connection) -> UUID:
    return create_campaign(platform, 50)


def test_a_transaction_that_changes_many_messages_leaves_one_note(
    platform: Connection, service: Connection, campaign: UUID
) -> None:
    with platform.transaction():
        platform.execute(SET_SENT, [campaign])
        platform.execute(SET_PENDING, [campaign])
    assert notes(service, campaign) == 1


def test_each_transaction_leaves_a_note(platform: Connection, service: Connection, campaign: UUID) -> None:
    for statement in (SET_SENT, SET_PENDING):
        platform.execute(statement, [campaign])
    assert notes(service, campaign) == 2


def test_each_campaign_of_a_transaction_is_noted(platform: Connection, service: Connection, campaign: UUID) -> None:
    other = create_campaign(platform, 50)
    with platform.transaction():
        for changed in (campaign, other):
            platform.execute(SET_SENT, [changed])
    assert (notes(service, campaign), notes(service, other)) == (1, 1)


def test_each_of_a_hundred_campaigns_whose_messages_alternate_is_noted_once(
    platform: Connection, service: Connection
) -> None:
    user = platform.execute("SELECT id FROM users").fetchone()
    assert user is not None
    campaigns = [
        row[0]
        for row in platform.execute(
            "INSERT INTO campaign_logs (user_id, campaign_name, template_used)"
            " SELECT %s, 'Offer', 'offer' FROM generate_series(1, 100) RETURNING id",
            user,
        )
    ]
    platform.execute(
        "INSERT INTO message_logs (campaign_id, recipient_number, status)"
        " SELECT campaign, number::text, 'sent' FROM generate_series(1, 3) AS number, unnest(%s) AS campaign",
        [campaigns],
    )
    noted = service.execute("SELECT campaign_id FROM changed_campaigns WHERE campaign_id = ANY (%s)", [campaigns])
    assert sorted(str(row[0]) for row in noted) == sorted(str(campaign) for campaign in campaigns)


def test_a_change_whose_savepoint_was_rolled_back_is_noted_when_it_comes_again(
    platform: Connection, service: Connection, campaign: UUID
) -> None:
    with platform.transaction():
        with platform.transaction(force_rollback=True):
            platform.execute(SET_SENT, [campaign])
        platform.execute(SET_SENT, [campaign])
    assert notes(service, campaign) == 1


def test_a_savepoint_that_is_kept_and_what_follows_leave_one_note(
    platform: Connection, service: Connection, campaign: UUID
) -> None:
    with platform.transaction():
        with platform.transaction():
            platform.execute(SET_SENT, [campaign])
        platform.execute(SET_PENDING, [campaign])
    assert notes(service, campaign) == 1


def test_what_is_rolled_back_leaves_no_note(platform: Connection, service: Connection, campaign: UUID) -> None:
    with platform.transaction(force_rollback=True):
        platform.execute(SET_SENT, [campaign])
    assert notes(service, campaign) == 0


def test_a_status_that_falls_with_its_message_id_is_noted(
    platform: Connection, service: Connection, campaign: UUID
) -> None:
    service.execute(
        "UPDATE message_logs SET message_id = id::text, status = 'read', proven = 7 WHERE campaign_id = %s", [campaign]
    )
    platform.execute("UPDATE message_logs SET message_id = NULL WHERE campaign_id = %s", [campaign])
    assert platform.execute(
        "SELECT DISTINCT status FROM message_logs WHERE campaign_id = %s", [campaign]
    ).fetchall() == [("pending",)]
    assert notes(service, campaign) == 1


def test_a_status_that_another_trigger_sets_is_noted(
    written_database: str, campaign: UUID, service: Connection
) -> None:
    with psycopg.connect(written_database) as owner, owner.transaction(force_rollback=True):
        owner.execute(
            "CREATE FUNCTION set_failed() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN NEW.status := 'failed'; RETURN NEW; END $$"
        )
        owner.execute("CREATE TRIGGER own BEFORE UPDATE ON message_logs FOR EACH ROW EXECUTE FUNCTION set_failed()")
        owner.execute("UPDATE message_logs SET api_response = '{}' WHERE campaign_id = %s", [campaign])
        assert notes(owner, campaign) == 1
    assert notes(service, campaign) == 0


def test_changes_that_no_count_depends_on_are_not_noted(
    platform: Connection, service: Connection, campaign: UUID
) -> None:
    platform.execute(
        "UPDATE message_logs SET message_id = id::text, api_response = '{}', error_message = 'x', sent_at = now(),"
        " status = status WHERE campaign_id = %s",
        [campaign],
    )
    assert notes(service, campaign) == 0


def test_what_status_service_changes_is_not_noted(service: Connection, campaign: UUID) -> None:
    service.execute(SET_SENT, [campaign])
    service.execute("UPDATE message_logs SET message_id = id::text WHERE campaign_id = %s", [campaign])
    assert notes(service, campaign) == 0


@pytest.mark.parametrize(("status", "noted"), [("pending", 0), (None, 0), ("sent", 1), ("failed", 1)])
def test_new_messages_are_noted_once_if_they_begin_with_a_status(
    platform: Connection, service: Connection, campaign: UUID, status: str | None, noted: int
) -> None:
    platform.execute(
        "INSERT INTO message_logs (campaign_id, recipient_number, status) SELECT %s, generate_series(51, 99)::text, %s",
        [campaign, status],
    )
    assert notes(service, campaign) == noted


def test_copied_messages_are_noted_once(platform: Connection, service: Connection, campaign: UUID) -> None:
    with platform.cursor().copy("COPY message_logs (campaign_id, recipient_number, status) FROM STDIN") as copy:
        for number in range(51, 100):
            copy.write_row([campaign, str(number), "sent"])
    assert notes(service, campaign) == 1


def test_an_upsert_is_noted_once(platform: Connection, service: Connection, campaign: UUID) -> None:
    platform.execute(
        "INSERT INTO message_logs (campaign_id, recipient_number, status)"
        " SELECT %s, generate_series(1, 99)::text, 'sent'"
        " ON CONFLICT (campaign_id, recipient_number) DO UPDATE SET status = excluded.status",
        [campaign],
    )
    assert notes(service, campaign) == 1


def test_deleted_messages_are_not_noted(platform: Connection, service: Connection, campaign: UUID) -> None:
    platform.execute("DELETE FROM message_logs WHERE campaign_id = %s", [campaign])
    assert notes(service, campaign) == 0


def test_a_campaign_can_be_deleted_with_its_messages(platform: Connection, service: Connection, campaign: UUID) -> None:
    platform.execute(SET_SENT, [campaign])
    platform.execute("DELETE FROM campaign_logs WHERE id = %s", [campaign])
    assert service.execute("DELETE FROM changed_campaigns WHERE campaign_id = %s", [campaign]).rowcount == 1


def test_two_transactions_that_note_one_campaign_never_wait_for_each_other(
    platform_url: str, service: Connection, campaign: UUID
) -> None:
    with (
        psycopg.connect(platform_url) as one,
        psycopg.connect(platform_url, options="-c lock_timeout=1ms") as other,
        psycopg.connect(service.info.dsn, password=service.info.password, options="-c lock_timeout=1ms") as recount,
    ):
        for session, number in ((one, "1"), (other, "2")):
            session.execute(f"{SET_SENT} AND recipient_number = %s", [campaign, number])
        assert recount.execute("DELETE FROM changed_campaigns WHERE campaign_id = %s", [campaign]).rowcount == 0
        one.commit()
        assert recount.execute("DELETE FROM changed_campaigns WHERE campaign_id = %s", [campaign]).rowcount == 1
    assert notes(service, campaign) == 1


def test_a_publication_of_all_tables_does_not_keep_the_notes(written_database: str, campaign: UUID) -> None:
    with psycopg.connect(written_database) as administrator:
        administrator.execute(SET_SENT, [campaign])
        administrator.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        administrator.execute("SET SESSION AUTHORIZATION status_service")
        assert administrator.execute("DELETE FROM changed_campaigns WHERE campaign_id = %s", [campaign]).rowcount == 1
        administrator.rollback()
