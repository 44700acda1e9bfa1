"""The example webhooks in tests/data/webhooks and where their parts belong."""

from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).parent / "data" / "webhooks"

STATUS, INBOUND, TEMPLATE, ACCOUNT, OTHER = "raw.status", "raw.inbound", "raw.template", "raw.account", "raw.other"

# By the file's name: an exception, else by how it begins.
EXCEPTIONS: Final = {
    "batch_mixed_fields_statuses_and_template_update": [STATUS, TEMPLATE],
    "batch_one_change_many_statuses": [STATUS] * 4,
    "batch_one_value_with_messages_and_statuses": [STATUS, INBOUND],
    "batch_several_entries_changes_statuses": [STATUS] * 4 + [INBOUND],
    "dashboard_test_messages": [INBOUND],
    "group_lifecycle_update_created": [OTHER],
    "group_status_delivered_two_participants_aggregated": [STATUS] * 2,
    "group_status_read_one_participant_two_messages_aggregated": [STATUS] * 2,
    "status_payment_captured": [OTHER],
    "statuses_out_of_order_read_delivered_sent_one_body": [STATUS] * 3,
    "user_preferences_stop": [ACCOUNT],
}
BEGINNINGS: Final = {
    "account_": [ACCOUNT],
    "business_": [ACCOUNT],
    "dashboard_test_account_": [ACCOUNT],
    "flows_": [OTHER],
    "group_status_": [STATUS],
    "history_": [OTHER],
    "inbound_": [INBOUND],
    "messages_": [OTHER],
    "payment_": [OTHER],
    "phone_number_": [ACCOUNT],
    "security_": [ACCOUNT],
    "smb_": [OTHER],
    "status_": [STATUS],
    "statuses_": [STATUS] * 2,
    "template_": [TEMPLATE],
    "unknown_": [OTHER],
    "user_id_": [OTHER],
}


def webhooks() -> dict[str, bytes]:
    """Give every example body by its name."""
    return {path.stem: path.read_bytes() for path in sorted(DIRECTORY.glob("*.json"))}


def topics_of(name: str) -> list[str]:
    """Give the topics that an example's parts belong to, in the body's order."""
    if name in EXCEPTIONS:
        return EXCEPTIONS[name]
    return next(topics for beginning, topics in BEGINNINGS.items() if name.startswith(beginning))
