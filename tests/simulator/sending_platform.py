"""Plays the sending platform, the other writer of the tables: what it has written when Meta's webhooks begin."""

from collections.abc import Sequence
from uuid import UUID

from tests.simulator.database import Connection
from tests.simulator.queries import query
from tests.simulator.recipients import BusinessNumber, Recipient

# Where the user has no number of their own.
MADE_UP_NUMBER = BusinessNumber("384920175660431", "271948360554122", "15550142200")


async def find_business_number(connection: Connection, username: str) -> BusinessNumber:
    number = await connection.fetchrow(query("business_number"), username, MADE_UP_NUMBER.waba_id)
    if number is None:
        return MADE_UP_NUMBER
    return BusinessNumber(number["waba_id"], number["phone_number_id"], number["phone_number"])


async def create_campaign(
    connection: Connection, username: str, name: str, recipients: Sequence[Recipient], number: BusinessNumber
) -> UUID:
    """Write a pending campaign of one pending row a recipient, each with the wamid Meta gave to it."""
    async with connection.transaction():
        await connection.execute(query("user"), username)
        campaign_id: UUID = await connection.fetchval(
            query("campaign"), username, name, number.phone_number_id, len(recipients)
        )
        await connection.copy_records_to_table(
            "message_logs",
            columns=("campaign_id", "recipient_number", "message_id", "status"),
            records=((campaign_id, recipient.number, recipient.wamid, "pending") for recipient in recipients),
        )
    return campaign_id
