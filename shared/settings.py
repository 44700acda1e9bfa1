"""Settings read once from the environment; a wrong one ends the start with a message that names the variable."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict


def split_at_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _addresses(value: str) -> str:
    if not all(re.fullmatch(r"(\[[^\]]+\]|[^\s:]+):\d{1,5}", address) for address in value.split(",")):
        raise ValueError("must be host:port, or several of them with commas between")
    return value


Addresses = Annotated[str, AfterValidator(_addresses)]
# Comma separated in the environment.
SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_at_commas), Field(min_length=1)]


class SecretFiles(PydanticBaseSettingsSource):
    """Reads setting NAME from the file that NAME_FILE names, as container platforms hand secrets over."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 -- the base's signature
        variable = f"{field_name.upper()}_FILE"
        path = os.environ.get(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{variable}: cannot read {path}: {error}") from None

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class SettingsError(Exception):
    """The environment cannot be used; the text says which variable and why."""


class ServiceSettings(BaseSettings):
    """What both services read."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    kafka_bootstrap_servers: Addresses = Field(description="Kafka's addresses, `host:port`, comma separated")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how to talk to Kafka"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="how to log in to Kafka, with a SASL protocol"
    )
    kafka_sasl_username: str | None = Field(default=None, description="Kafka login name")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="Kafka password")
    kafka_ssl_cafile: FilePath | None = Field(
        default=None, description="CA certificates that sign Kafka's; the system's if unset"
    )
    kafka_ssl_certfile: FilePath | None = Field(default=None, description="our certificate, where Kafka asks for one")
    kafka_ssl_keyfile: FilePath | None = Field(default=None, description="the key of our certificate")
    topic_prefix: str = Field(default="whatsapp.", description="stands before every topic's name")
    host: str = Field(default="0.0.0.0", description="address of the listeners")  # noqa: S104  # nosec B104 -- a container's port is published by its platform
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least severe lines written"
    )

    @model_validator(mode="after")
    def _complete_login(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_sasl_username and self.kafka_sasl_password
        ):
            raise ValueError("KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: required with a SASL protocol")
        if (self.kafka_ssl_certfile is None) != (self.kafka_ssl_keyfile is None):
            raise ValueError("KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: required together")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the base's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the base's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)


S = TypeVar("S", bound=BaseSettings)


def read(settings: type[S]) -> S:
    """Read settings from the environment. Raises SettingsError with one line a variable, never with a value."""
    try:
        return settings()
    except ValidationError as error:
        raise SettingsError("\n".join(map(_line, error.errors()))) from None


def _line(error: ErrorDetails) -> str:
    # What concerns several variables has no place of its own and names them itself.
    text = error["msg"].removeprefix("Value error, ")
    return f"{str(error['loc'][0]).upper()}: {text}" if error["loc"] else text


def read_or_exit(settings: type[S]) -> S:
    """Read settings, or end the process with status 2 and the reason on standard error."""
    try:
        return read(settings)
    except SettingsError as error:
        sys.stderr.write(f"configuration: {error}\n")
        raise SystemExit(2) from None
