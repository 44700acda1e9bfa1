"""A campaign as the platform writes it."""

from uuid import UUID

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]


def create_campaign(platform: Connection, recipients: int = 0) -> UUID:
    """Add a campaign to the one user that there is, with pending messages to recipients 1, 2, 3 and so on."""
    row = platform.execute(
        "INSERT INTO campaign_logs (user_id, campaign_name, template_used, total_recipients)"
        " SELECT id, 'Offer', 'offer', %s FROM users RETURNING id",
        [recipients],
    ).fetchone()
    assert row is not None
    assert isinstance(row[0], UUID)
    platform.execute(
        "INSERT INTO message_logs (campaign_id, recipient_number) SELECT %s, generate_series(1, %s)::text",
        [row[0], recipients],
    )
    return row[0]


def notes(service: Connection, campaign: UUID) -> int:
    """Count the notes of a campaign."""
    return len(service.execute("SELECT FROM changed_campaigns WHERE campaign_id = %s", [campaign]).fetchall())
