"""What each example of a change does to the seven tables, on the rows of platform_rows."""

from datetime import datetime
from typing import Any

from tests.integration.without_kafka.platform_rows import NAME, TEMPLATE_ID

TEMPLATES = (("templates", f"first {NAME} en_US"), ("templates", "second renamed en_US"))
CACHED = (("whatsapp_templates", "271948360554122 en-US"), ("whatsapp_templates", "271948360554199 en_US"))
NUMBERS = (("whatsapp_numbers", "the number"), ("whatsapp_numbers", "the number, shared"))
ALL_NUMBERS = (*NUMBERS, ("whatsapp_numbers", "another number"))
ACCOUNTS = (("user_business_info", "first"), ("user_business_info", "second"))

Effect = dict[tuple[str, str], dict[str, Any]]


def status(event: str, status: str, reason: str | None = None) -> Effect:
    """Give a status in both tables; the row that had no id has one afterwards."""
    columns = {"status": status} | ({} if reason is None else {"rejection_reason": reason})
    columns = {name: value for name, value in columns.items() if (name, value) != ("status", "PENDING")}
    own, other = TEMPLATES
    return {own: columns | {"template_id": TEMPLATE_ID}, other: columns} | {key: {"status": event} for key in CACHED}


def category(value: str) -> Effect:
    own, other = TEMPLATES
    columns = {"category": value}
    return {own: columns | {"template_id": TEMPLATE_ID}, other: columns} | dict.fromkeys(CACHED, columns)


def quality(value: str) -> Effect:
    own, other = TEMPLATES
    return {own: {"quality_rating": value, "template_id": TEMPLATE_ID}, other: {"quality_rating": value}}


def account(state: str, reason: str, since: str, until: str | None = None) -> Effect:
    columns = {
        "account_state": state,
        "account_state_reason": reason,
        "account_state_since": datetime.fromisoformat(since),
    } | ({} if until is None else {"account_state_until": datetime.fromisoformat(until)})
    return dict.fromkeys(ACCOUNTS, columns)


def number(**columns: str) -> Effect:
    return dict.fromkeys(NUMBERS, columns)


COMPONENTS = [
    {"type": "HEADER", "format": "TEXT", "text": "Autumn offers"},
    {"type": "BODY", "text": "Hi {{1}}, your code {{2}} is valid until Sunday."},
    {"type": "FOOTER", "text": "Reply STOP to opt out"},
    {
        "type": "BUTTONS",
        "buttons": [
            {"type": "URL", "text": "Shop now", "url": "https://shop.example/autumn"},
            {"type": "PHONE_NUMBER", "text": "Call us", "phone_number": "+15550142200"},
        ],
    },
]

EFFECTS: dict[str, Effect] = {
    "template_status_approved": status("APPROVED", "ACTIVE"),
    "template_status_archived": status("ARCHIVED", "DISABLED"),
    "template_status_disabled": status("DISABLED", "DISABLED"),
    "template_status_flagged": status("FLAGGED", "ACTIVE"),
    "template_status_paused": status("PAUSED", "PAUSED"),
    "template_status_pending_deletion_null_reason": status("PENDING_DELETION", "DISABLED"),
    "template_status_rejected_invalid_format": status(
        "REJECTED",
        "REJECTED",
        "INVALID_FORMAT: The template starts with a variable. Put fixed text before the first variable.",
    ),
    "template_status_rejected_no_rejection_info": status("REJECTED", "REJECTED", "TAG_CONTENT_MISMATCH"),
    "template_status_unpaused_approved": status("APPROVED", "ACTIVE"),
    "batch_mixed_fields_statuses_and_template_update": status("APPROVED", "ACTIVE"),
    "template_quality_update": quality("YELLOW"),
    "template_quality_update_unknown_to_red": quality("RED"),
    "template_category_update_completed": category("MARKETING"),
    "template_category_update_impending": category("MARKETING"),
    "template_category_update_without_previous": category("MARKETING"),
    "template_components_update": {key: {"components": COMPONENTS} for key in CACHED},
    "template_correct_category_detection": {},
    "phone_number_name_update_approved": number(verified_name="Northwind Outfitters"),
    "phone_number_name_update_rejected": {},
    "phone_number_quality_update_throughput_upgrade": number(throughput="HIGH", messaging_limit="TIER_UNLIMITED"),
    "phone_number_quality_update_onboarding_legacy_limits": number(throughput="STANDARD", messaging_limit="TIER_2K"),
    "business_capability_update_int": {key: {"messaging_limit": "TIER_10K"} for key in ALL_NUMBERS},
    "business_capability_update_tier_string": {key: {"messaging_limit": "TIER_100K"} for key in ALL_NUMBERS},
    "account_update_disabled": account("DISABLED", "DISABLE, October 1, 2026", "2026-10-01T00:00:50"),
    # Over by then.
    "account_update_restriction": account("ACTIVE", "restrictions expired", "2026-10-08T00:00:00"),
    "account_update_deleted": account("DELETED", "ACCOUNT_DELETED", "2026-10-01T00:00:53"),
    "account_update_offboarded": account("DISCONNECTED", "ACCOUNT_OFFBOARDED", "2026-10-01T00:00:56"),
    "account_update_partner_removed_entry_id_is_business": account(
        "DISCONNECTED", "PARTNER_REMOVED, PRIMARY_INACTIVITY, SYSTEM", "2026-10-01T00:00:54"
    ),
    "account_update_partner_app_uninstalled": account("DISCONNECTED", "PARTNER_APP_UNINSTALLED", "2026-10-01T00:00:55"),
    "account_update_violation": {},
    "account_update_volume_tier": {},
    "account_alerts": {},
    "account_review_update": {},
    "business_username_updates": {},
    "security_pin_changed": {},
    "user_preferences_stop": {},
    "dashboard_test_account_alerts_flat_shape": {},
    "dashboard_test_account_update": {},
}
