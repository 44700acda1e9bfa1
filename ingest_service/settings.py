"""The receiver's settings."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, PostgresDsn
from pydantic_settings import NoDecode

from shared.settings import SecretList, ServiceSettings, split_at_commas
from shared.topics import LARGE_MESSAGE_BYTES, MEBIBYTE


def _not_empty(networks: tuple[IPvAnyNetwork, ...] | None) -> tuple[IPvAnyNetwork, ...] | None:
    if networks is not None and not networks:
        raise ValueError("must name an address, or be unset: with none nothing would be checked")
    return networks


class IngestSettings(ServiceSettings):
    """What ingest_service reads from the environment."""

    # A webhook that none of them signed is hashed with each.
    meta_app_secrets: SecretList = Field(
        max_length=10, description="app secrets that may have signed a webhook: current, previous"
    )
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
    trusted_proxies: Annotated[
        tuple[IPvAnyNetwork, ...] | None, NoDecode, BeforeValidator(split_at_commas), AfterValidator(_not_empty)
    ] = Field(
        default=None,
        description="addresses of the proxies that check Meta's client certificate, comma separated; webhooks are "
        "taken from them only, and only with the header X-Client-CN naming CLIENT_CN",
    )
    client_cn: str = Field(
        default="client.webhooks.fbclientcerts.com",
        min_length=1,
        description="common name of Meta's client certificate",
    )
    # Below Meta's own patience (others saw it give up between 3 and 10 s), above a broker's election of a leader.
    publish_timeout: float = Field(
        default=3.0, gt=0, le=30, description="an acknowledgement that takes longer is answered 503 (seconds)"
    )
    # A body of 4 MiB on a slow mobile-like line; Meta's data centres need a fraction of it.
    body_timeout: float = Field(default=5.0, gt=0, le=60, description="a body that takes longer gets 408 (seconds)")
    # Meta's data centres pause for milliseconds.
    body_pause_timeout: float = Field(
        default=2.0, gt=0, le=60, description="a body that stops coming for longer gets 408 (seconds)"
    )
    max_requests_in_flight: int = Field(
        default=2000, ge=1, description="more webhooks at once for Kafka get 503, a worker"
    )
    # Four times that is held at most: the bytes, their parsed form, the records, aiokafka's copy. While Kafka hangs,
    # the records of webhooks that were answered 503 stay for up to three times PUBLISH_TIMEOUT beside it.
    max_bytes_in_flight: int = Field(
        default=128 * MEBIBYTE, ge=8 * MEBIBYTE, description="more bytes of bodies at once get 503, a worker (bytes)"
    )
