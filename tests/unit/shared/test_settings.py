"""Settings from the environment, and the messages for wrong ones."""

from pathlib import Path

import pytest

from ingest_service.settings import IngestSettings
from shared.settings import SettingsError, read, read_or_exit

GOOD = {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092", "META_APP_SECRETS": "one, two", "META_VERIFY_TOKENS": "token"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in IngestSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_lists_are_comma_separated() -> None:
    assert [secret.get_secret_value() for secret in read(IngestSettings).meta_app_secrets] == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost"),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092,other:abc"),
        ("KAFKA_SSL_CAFILE", "/nowhere/ca.pem"),
        ("META_APP_SECRETS", ""),
        ("META_APP_SECRETS", " , "),
        ("META_VERIFY_TOKENS", ""),
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("WORKERS", "0"),
        ("DATABASE_URL", "mysql://somewhere/else"),
        ("MAX_BODY_BYTES", "8388608"),
        ("LOG_LEVEL", "CHATTY"),
        ("KAFKA_SECURITY_PROTOCOL", "TELNET"),
    ],
)
def test_a_wrong_setting_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        read(IngestSettings)


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "KAFKA_SASL_USERNAME"),
        ("KAFKA_SSL_KEYFILE", __file__, "KAFKA_SSL_CERTFILE"),
    ],
)
def test_settings_that_need_others_name_them(
    environment: pytest.MonkeyPatch, name: str, value: str, named: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"^{named}, .*: required"):
        read(IngestSettings)


def test_a_refused_value_is_not_repeated(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "mysql://user:hunter2@somewhere/else")
    with pytest.raises(SettingsError) as raised:
        read(IngestSettings)
    assert "hunter2" not in str(raised.value)


def test_a_secret_can_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("from a file,another\n")
    environment.delenv("META_APP_SECRETS")
    environment.setenv("META_APP_SECRETS_FILE", str(tmp_path / "secrets"))
    assert [secret.get_secret_value() for secret in read(IngestSettings).meta_app_secrets] == ["from a file", "another"]


def test_a_missing_file_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("META_APP_SECRETS")
    environment.setenv("META_APP_SECRETS_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match=r"^META_APP_SECRETS_FILE: cannot read"):
        read(IngestSettings)


def test_a_service_ends_with_the_message(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    environment.delenv("META_APP_SECRETS")
    with pytest.raises(SystemExit) as raised:
        read_or_exit(IngestSettings)
    assert raised.value.code == 2
    assert capsys.readouterr().err.startswith("configuration: META_APP_SECRETS: ")
