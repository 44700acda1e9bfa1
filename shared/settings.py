"""Settings read once from the environment; a wrong one ends the start with a message that names the variable."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict


def _split_at_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


# Comma separated in the environment.
SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_at_commas), Field(min_length=1)]


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

    kafka_bootstrap_servers: str = Field(description="Kafka's addresses, `host:port`, comma separated")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how to talk to Kafka"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="how to log in to Kafka, with a SASL protocol"
    )
    kafka_sasl_username: str | None = Field(default=None, description="Kafka login name")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="Kafka password")
    kafka_ssl_cafile: Path | None = Field(
        default=None, description="CA certificates that sign Kafka's; the system's if unset"
    )
    kafka_ssl_certfile: Path | None = Field(default=None, description="our certificate, where Kafka asks for one")
    kafka_ssl_keyfile: Path | None = Field(default=None, description="the key of our certificate")
    topic_prefix: str = Field(default="whatsapp.", description="stands before every topic's name")
    host: str = Field(default="0.0.0.0", description="address of the listeners")  # noqa: S104 -- a container's port is published by its platform
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least severe lines written"
    )

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
        lines = [f"{'.'.join(str(part) for part in item['loc'][:1]).upper()}: {item['msg']}" for item in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def read_or_exit(settings: type[S]) -> S:
    """Read settings, or end the process with status 2 and the reason on standard error."""
    try:
        return read(settings)
    except SettingsError as error:
        sys.stderr.write(f"configuration: {error}\n")
        raise SystemExit(2) from None
