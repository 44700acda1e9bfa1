import pytest
from typer.testing import CliRunner

from tests.simulator.command_line import app
from tests.simulator.environment import Environment

VARIABLES = {
    "INGEST_URL": "http://127.0.0.1:8080/",
    "DATABASE_URL": "postgresql://127.0.0.1/nowhere",
    "META_APP_SECRETS": "current, previous",
    "META_VERIFY_TOKENS": "token",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
}


def test_help_names_the_commands_and_their_options() -> None:
    runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})

    commands = runner.invoke(app, ["--help"])
    options = runner.invoke(app, ["play", "--help"])

    assert commands.exit_code == 0
    assert "play" in commands.output
    assert "demo" in commands.output
    assert options.exit_code == 0
    for option in (
        "--recipients",
        "--rate",
        "--max-statuses",
        "--duplicates",
        "--shuffle",
        "--seed",
        "--report",
        "--rows",
        "--platform",
        "--lock-seconds",
        "--callback-share",
        "--events",
    ):
        assert option in options.output


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_missing_variable_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)

    result = CliRunner().invoke(app, ["play"])

    assert result.exit_code == 1
    assert f"{missing} is not set" in result.output


def test_the_environment_gives_the_first_secret_and_the_address_of_the_webhook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TOPIC_PREFIX", raising=False)

    environment = Environment.read()

    assert environment.app_secret == b"current"
    assert environment.webhook_url == "http://127.0.0.1:8080/webhooks/meta"
    assert environment.topic_prefix == "whatsapp."


def test_a_receiver_that_is_not_there_ends_the_play_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    # Nobody listens on the discard port.
    monkeypatch.setenv("INGEST_URL", "http://127.0.0.1:9")

    result = CliRunner().invoke(app, ["play"])

    assert result.exit_code == 1
    assert "the verification GET to http://127.0.0.1:9/webhooks/meta was not answered" in result.output
