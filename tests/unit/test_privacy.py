"""The check of all logs finds what it is to find, and nothing in what services really write."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.privacy import leaks

QUIET = (
    '{"url": "x", "error": "KafkaConnectionError", "event": "batch_not_acknowledged", "service": "ingest_service"}\n'
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give a directory that the check of this very run does not look into."""
    with TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize(
    "told",
    [
        "wamid.HBgLMTU1NTAxNzMzOTEVAgARGBI3QzFEMDlFNDRCNTJGQTkwMzEA",
        "to +15550173391",
        "4915550173391",
        "Imani Okafor",
        "imani.okafor",
        "Is the blue one back in stock?",
        "US.20471193388105567214",
        "password=for-tests",
        "the-secret-of-today",
        "of-the-stack",
    ],
)
@pytest.mark.parametrize("name", ["ingest.log", "services.log", "status.metrics"])
def test_what_is_personal_or_secret_is_found(directory: Path, told: str, name: str) -> None:
    run = directory / "run"
    run.mkdir()
    (run / "env").write_text("DATABASE_URL=x\nMETA_APP_SECRETS=another,of-the-stack\n")
    (run / name).write_text(f'{QUIET}{{"event": "odd", "why": "{told}"}}\n{QUIET}')
    (found,) = leaks(directory)
    assert told in found


def test_what_services_write_and_what_others_do_is_passed_over(directory: Path) -> None:
    (directory / "ingest.log").write_text(QUIET)
    for name in ("postgres.log", "broker-1.log", "00000000000000000000.log"):
        (directory / name).write_text("wamid.A")
    assert leaks(directory) == []
