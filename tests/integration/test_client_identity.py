"""Webhooks are taken only from a proxy that says whose client certificate it has checked, where one is configured."""

from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest

from ingest_service.client_identity import ClientIdentity
from tests.integration.environment import Environment
from tests.integration.own_services import BODY, post, settings
from tests.integration.processes import run_to_end, running
from tests.integration.raw_http import exchange, request, status_of

META = "client.webhooks.fbclientcerts.com"


async def test_a_proxys_word_counts_and_no_other(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment, TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1")
    port = given["PORT"]
    async with running("ingest_service", tmp_path / "ingest.log", http, **given):
        assert await post(http, environment, port, X_Client_CN=META) == 200
        assert await post(http, environment, port) == 403
        assert await post(http, environment, port, X_Client_CN="somebody.example") == 403
        assert await post(http, environment, port, X_Client_CN=META.upper()) == 403
        signature = f"X-Hub-Signature-256: {environment.signed(BODY)['X-Hub-Signature-256']}"
        doubled = request(signature, f"X-Client-CN: {META}", f"X-Client-CN: {META}", body=BODY)
        assert status_of(await exchange(f"http://127.0.0.1:{port}", doubled)) == 403
        # What comes after a body is no header, also where all comes at once.
        trailing = request(signature, "Transfer-Encoding: chunked", body=b"")
        trailing += b"%x\r\n%b\r\n0\r\nX-Client-CN: %b\r\n\r\n" % (len(BODY), BODY, META.encode())
        assert status_of(await exchange(f"http://127.0.0.1:{port}", trailing)) == 403


async def test_who_is_no_proxy_is_refused_whatever_it_says(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment, TRUSTED_PROXIES="10.0.0.0/8, ::1")
    async with running("ingest_service", tmp_path / "ingest.log", http, **given):
        assert await post(http, environment, given["PORT"], X_Client_CN=META) == 403


async def test_without_a_proxy_the_header_means_nothing(
    environment: Environment, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    given = settings(environment)
    async with running("ingest_service", tmp_path / "ingest.log", http, **given):
        assert await post(http, environment, given["PORT"], X_Client_CN="somebody.example") == 200


@pytest.mark.parametrize(
    ("proxies", "address", "is_one"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("fd00::/8", "fd00::1", True),
        ("fd00::/8", "10.1.2.3", False),
    ],
)
def test_addresses_of_both_kinds_are_compared(proxies: str, address: str, *, is_one: bool) -> None:
    identity = ClientIdentity([ip_network(proxies)], META)
    scope = {"client": (address, 1), "headers": [(b"x-client-cn", META.encode())]}
    assert identity.is_shown(scope) is is_one
    assert not identity.is_shown(scope | {"client": None})


@pytest.mark.parametrize("proxies", ["nowhere", "10.0.0.0/33", " , "])
async def test_a_proxy_that_is_no_address_is_named(environment: Environment, proxies: str) -> None:
    status, output = await run_to_end("ingest_service", **settings(environment, TRUSTED_PROXIES=proxies))
    assert status == 2
    assert output.startswith("configuration: TRUSTED_PROXIES")
