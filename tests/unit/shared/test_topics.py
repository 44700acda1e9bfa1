"""The topic declarations against what the contract says of them."""

from shared.topics import DAY_MS, LARGE_MESSAGE_BYTES, RAW_TOPICS, TOPICS

RETENTION_DAYS = {
    "raw.status": 14,
    "raw.inbound": 7,
    "raw.template": 14,
    "raw.account": 14,
    "raw.other": 7,
    "raw.unroutable": 14,
    "status.sent": 7,
    "status.delivered": 7,
    "status.read": 7,
    "status.failed": 7,
    "campaign": None,
    "template": 7,
    "account": 7,
    "unmatched": 7,
    "dead-letter": 30,
}


def test_every_topic_is_declared_with_its_retention() -> None:
    declared = {topic.suffix: topic.retention_ms for topic in TOPICS}
    assert declared == {suffix: days and days * DAY_MS for suffix, days in RETENTION_DAYS.items()}


def test_bodies_and_dead_letters_fit_their_topics() -> None:
    large = {topic.suffix for topic in TOPICS if topic.max_message_bytes == LARGE_MESSAGE_BYTES}
    assert large == {topic.suffix for topic in RAW_TOPICS} | {"dead-letter"}


def test_the_configuration_uses_kafkas_names() -> None:
    by_suffix = {topic.suffix: topic.configuration(2) for topic in TOPICS}
    assert by_suffix["campaign"]["cleanup.policy"] == "compact"
    assert by_suffix["raw.status"] == {
        "cleanup.policy": "delete",
        "retention.ms": "1209600000",
        "max.message.bytes": "8388608",
        "min.insync.replicas": "2",
    }
