"""The receiver's settings."""

from pydantic import Field, PostgresDsn

from shared.settings import SecretList, ServiceSettings
from shared.topics import LARGE_MESSAGE_BYTES, MEBIBYTE


class IngestSettings(ServiceSettings):
    """What ingest_service reads from the environment."""

    meta_app_secrets: SecretList = Field(description="app secrets that may have signed a webhook: current, previous")
    meta_verify_tokens: SecretList = Field(description="verify tokens that Meta's verification request may carry")
    database_url: PostgresDsn | None = Field(
        default=None, description="where further verify tokens are read from; without it only META_VERIFY_TOKENS count"
    )
    port: int = Field(default=8080, ge=1, le=65535, description="the public listener: /webhooks/meta and nothing else")
    internal_port: int = Field(default=9090, ge=1, le=65535, description="the internal listener: health and metrics")
    workers: int = Field(default=1, ge=1, le=64, description="processes that serve the public listener")
    # Meta's limit is 3 MB. The record of a body that cannot be split must fit its topic.
    max_body_bytes: int = Field(
        default=4 * MEBIBYTE,
        ge=MEBIBYTE,
        le=LARGE_MESSAGE_BYTES - 2 * MEBIBYTE,
        description="larger bodies get 413 (bytes)",
    )
    # Below Meta's own patience (others saw it give up between 3 and 10 s), above a broker's election of a leader.
    publish_timeout: float = Field(
        default=3.0, gt=0, le=30, description="an acknowledgement that takes longer is answered 503 (seconds)"
    )
    # A body of 4 MiB on a slow mobile-like line; Meta's data centres need a fraction of it.
    body_timeout: float = Field(default=5.0, gt=0, le=60, description="a body that takes longer gets 408 (seconds)")
    max_requests_in_flight: int = Field(default=2000, ge=1, description="more webhooks at once get 503, a worker")
    # Four times that is held at most: the bytes, their parsed form, the records, aiokafka's copy. While Kafka hangs,
    # the records of webhooks that were answered 503 stay for up to three times PUBLISH_TIMEOUT beside it.
    max_bytes_in_flight: int = Field(
        default=128 * MEBIBYTE, ge=8 * MEBIBYTE, description="more bytes of bodies at once get 503, a worker (bytes)"
    )
