"""Plays the sending platform, the other writer of the tables: what it has written when Meta's webhooks begin."""

from tests.simulator.database import Connection
from tests.simulator.plan import Plan
from tests.simulator.queries import query
from tests.simulator.recipients import BusinessNumber, Recipient
from tests.simulator.send_responses import Rows

# Where the user has no number of their own.
MADE_UP_NUMBER = BusinessNumber("384920175660431", "271948360554122", "15550142200")


async def find_business_number(connection: Connection, username: str) -> BusinessNumber:
    number = await connection.fetchrow(query("business_number"), username, MADE_UP_NUMBER.waba_id)
    if number is None:
        return MADE_UP_NUMBER
    return BusinessNumber(number["waba_id"], number["phone_number_id"], number["phone_number"])


async def create_campaign(connection: Connection, username: str, name: str, plan: Plan, rows: Rows) -> None:
    """Write a pending campaign of one pending row a recipient; before the first status, each with its wamid."""
    phone_number_id = plan.recipients[0].business.phone_number_id
    async with connection.transaction():
        await connection.execute(query("user"), username)
        await connection.execute(
            query("campaign"), username, plan.campaign_id, name, phone_number_id, len(plan.recipients)
        )
        await connection.copy_records_to_table(
            "message_logs",
            columns=("id", "campaign_id", "recipient_number", "message_id", "status"),
            records=(
                (plan.row_id(recipient.wamid), plan.campaign_id, recipient.number, _known(recipient, rows), "pending")
                for recipient in plan.recipients
            ),
        )


def _known(recipient: Recipient, rows: Rows) -> str | None:
    return recipient.wamid if rows is Rows.BEFORE and recipient.callback_data is None else None
