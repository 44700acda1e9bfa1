"""App secrets and verify tokens are replaced while the receiver runs, and no webhook notices."""

import hashlib
import hmac
import re
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.integration.environment import Environment
from tests.integration.own_services import BODY, settings
from tests.integration.processes import Service, run_to_end, running
from tests.waiting import eventually

OLD, NEW = "the-secret-of-yesterday", "the-secret-of-today"


def from_files(environment: Environment, directory: Path, **changes: str) -> tuple[dict[str, str], Path, Path]:
    """Give the settings of a receiver whose secrets and tokens are in files, and the files."""
    secrets, tokens = directory / "secrets", directory / "tokens"
    secrets.write_text(OLD)
    tokens.write_text("token-of-yesterday")
    given = settings(environment, META_APP_SECRETS_FILE=str(secrets), META_VERIFY_TOKENS_FILE=str(tokens), **changes)
    del given["META_APP_SECRETS"], given["META_VERIFY_TOKENS"]
    return given, secrets, tokens


async def signed_with(http: aiohttp.ClientSession, port: str, secret: str) -> int:
    digest = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    url = f"http://127.0.0.1:{port}/webhooks/meta"
    async with http.post(url, data=BODY, headers={"X-Hub-Signature-256": f"sha256={digest}"}) as answer:
        return answer.status


async def verified(http: aiohttp.ClientSession, port: str, token: str) -> int:
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
    async with http.get(f"http://127.0.0.1:{port}/webhooks/meta", params=query) as answer:
        return answer.status


async def metric(http: aiohttp.ClientSession, service: Service, name: str) -> dict[str, float]:
    """Give a metric's values by their labels."""
    async with http.get(f"{service.internal_url}/metrics") as answer:
        lines = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", await answer.text(), re.MULTILINE)
    return {labels: float(value) for labels, value in lines}


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
async def test_a_replaced_secret_counts_without_a_restart(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path, workers: str
) -> None:
    given, secrets, tokens = from_files(environment, tmp_path, WORKERS=workers)
    port = given["PORT"]
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:
        log_file = tmp_path / "ingest.log"

        async def all_started() -> bool:
            return log_file.read_text().count('"started"') == int(workers)

        # A worker that starts later would begin with the new ones.
        await eventually(all_started)
        assert await signed_with(http, port, OLD) == 200
        assert await signed_with(http, port, NEW) == 401
        secrets.write_text(f"{NEW}, {OLD}\n")
        tokens.write_text("token-of-today")
        service.process.send_signal(signal.SIGHUP)

        async def new_everywhere() -> bool:
            return log_file.read_text().count('"secrets_replaced"') == int(workers)

        await eventually(new_everywhere)
        # A connection each, so that every worker is asked.
        for _ in range(9):
            async with aiohttp.ClientSession() as client:
                assert await signed_with(client, port, NEW) == 200
                assert await verified(client, port, "token-of-today") == 200
        assert await signed_with(http, port, OLD) == 200
        assert await verified(http, port, "token-of-yesterday") == 403
        matched = await metric(http, service, "ingest_signatures_total")
        # The first one with the old secret was when it stood in the first place.
        assert matched == {'{secret="0"}': 10, '{secret="1"}': 1}
        assert service.process.returncode is None
    log = log_file.read_text()
    assert OLD not in log
    assert NEW not in log
    assert "token-of" not in log


async def test_a_changed_file_is_found_without_a_signal(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given, secrets, _ = from_files(environment, tmp_path)
    async with running("ingest_service", tmp_path / "ingest.log", http, **given):
        # As Kubernetes replaces a secret: the name leads to another file.
        replaced = tmp_path / "replaced"
        replaced.write_text(NEW)
        replaced.replace(secrets)

        async def rotated() -> bool:
            return (await signed_with(http, given["PORT"], NEW), await signed_with(http, given["PORT"], OLD)) == (
                200,
                401,
            )

        await eventually(rotated)


@pytest.mark.parametrize("content", [None, " , "])
async def test_secrets_that_cannot_be_read_leave_the_old_ones(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path, content: str | None
) -> None:
    given, secrets, _ = from_files(environment, tmp_path)
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:

        async def readable() -> float:
            return (await metric(http, service, "ingest_secrets_readable"))[""]

        async def unreadable() -> bool:
            return await readable() == 0

        if content is None:
            secrets.unlink()
        else:
            secrets.write_text(content)
        service.process.send_signal(signal.SIGHUP)
        await eventually(unreadable)
        assert await signed_with(http, given["PORT"], OLD) == 200
        secrets.write_text(NEW)
        service.process.send_signal(signal.SIGHUP)
        await eventually(readable)
        assert await signed_with(http, given["PORT"], NEW) == 200
    assert (tmp_path / "ingest.log").read_text().count('"secrets_not_read"') == 1


async def test_without_files_sighup_changes_nothing(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment, META_APP_SECRETS=OLD)
    async with running("ingest_service", tmp_path / "ingest.log", http, **given) as service:
        service.process.send_signal(signal.SIGHUP)
        assert await signed_with(http, given["PORT"], OLD) == 200
        service.process.send_signal(signal.SIGTERM)
        assert await service.end() == 0


@pytest.mark.parametrize("secrets", ["", " , ", ",".join(f"secret-{number}" for number in range(11))])
async def test_no_secrets_or_too_many_refuse_to_start(environment: Environment, secrets: str) -> None:
    status, output = await run_to_end("ingest_service", **settings(environment, META_APP_SECRETS=secrets))
    assert status == 2
    assert output.startswith("configuration: META_APP_SECRETS: ")
    assert "secret-" not in output
