"""The consumer's settings."""

from pydantic import Field, PostgresDsn

from shared.settings import ServiceSettings
from shared.topics import PARTITIONS


class TopicSettings(ServiceSettings):
    """What the `topics` command reads from the environment."""

    topic_partitions: int = Field(default=PARTITIONS, ge=1, le=1000, description="partitions of a new topic")
    topic_replication: int = Field(
        default=3, ge=1, le=7, description="replicas of a new topic; all but one must acknowledge (min.insync.replicas)"
    )


class StatusSettings(ServiceSettings):
    """What status_service reads from the environment."""

    database_url: PostgresDsn = Field(description="the database with message_logs and campaign_logs")
    consumer_group: str = Field(
        default="status_service", description="Kafka consumer group; its offsets are our progress"
    )
    internal_port: int = Field(default=9091, ge=1, le=65535, description="the internal listener: health and metrics")
    batch_size: int = Field(default=5000, ge=1, le=50_000, description="statuses applied in one transaction, at most")
