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


class KafkaCommandSettings(ServiceSettings):
    """What the commands that work on topics alone read from the environment."""

    consumer_group: str = Field(
        default="status_service", description="Kafka consumer group; its offsets are our progress"
    )


class CommandSettings(KafkaCommandSettings):
    """What the commands that work on the tables read from the environment."""

    database_url: PostgresDsn = Field(description="the database with message_logs and campaign_logs")
    batch_size: int = Field(default=5000, ge=1, le=50_000, description="statuses applied in one transaction, at most")
    # Meta's own rows come within seconds; a platform that stores them a day later is broken.
    parked_ttl: int = Field(
        default=24 * 60 * 60, ge=1, description="how long a status of our numbers waits for its row (seconds)"
    )


class StatusSettings(CommandSettings):
    """What status_service reads from the environment."""

    internal_port: int = Field(default=9091, ge=1, le=65535, description="the internal listener: health and metrics")
    reconcile_after: float = Field(
        default=60, gt=0, description="a campaign that changes is recounted as often (seconds)"
    )
    # Ten times what a fault of ours can have in common with a handful of odd records.
    dead_letter_run: int = Field(
        default=100, ge=0, description="more records in a row that cannot be applied stop the service"
    )
    dead_letter_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="a larger share of the last 10,000 that cannot be applied stops the service",
    )
