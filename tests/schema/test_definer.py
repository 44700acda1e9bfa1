"""The notes are made with their owner's rights, for a platform that has none; nobody borrows them for more."""

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.schema.campaign import Connection, create_campaign, notes

SET_SENT = "UPDATE message_logs SET status = 'sent' WHERE campaign_id = %s"


def test_the_platform_needs_no_right_on_the_notes(platform: Connection, service: Connection) -> None:
    campaign = create_campaign(platform, 1)
    platform.execute(SET_SENT, [campaign])
    with pytest.raises(InsufficientPrivilege):
        platform.execute("SELECT FROM changed_campaigns")
    assert notes(service, campaign) == 1


def test_the_sessions_own_search_path_and_types_do_not_matter(platform_url: str, service: Connection) -> None:
    with psycopg.connect(platform_url) as platform:
        campaign = create_campaign(platform, 1)
        platform.execute(
            """
            CREATE FUNCTION pg_temp.is_mine(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $$
            BEGIN
              RAISE EXCEPTION 'runs as %', current_user;
            END
            $$
            """
        )
        platform.execute("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.is_mine(VALUE))")
        platform.execute("CREATE TEMPORARY TABLE changed_campaigns (campaign_id uuid)")
        platform.execute("SET search_path TO pg_temp, public")
        platform.execute(SET_SENT, [campaign])
        platform.execute("SET search_path TO ''")
        platform.execute("UPDATE public.message_logs SET status = 'failed' WHERE campaign_id = %s", [campaign])
    assert notes(service, campaign) == 1


@pytest.mark.parametrize("role", ["platform", "ingest_service", "status_service"])
def test_nobody_else_puts_the_function_on_a_table(written_database: str, role: str) -> None:
    with psycopg.connect(written_database) as session:
        session.execute(f"SET SESSION AUTHORIZATION {role}")
        session.execute("CREATE TEMPORARY TABLE own (campaign_id uuid)")
        with pytest.raises(InsufficientPrivilege, match="permission denied for function"):
            session.execute(
                "CREATE TRIGGER own AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION prime_sms_note_changed_campaign()"
            )
        session.rollback()
