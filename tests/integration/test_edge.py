"""The proxy in front, as it is configured in deploy: who has Meta's certificate comes through, and nobody else."""

import asyncio
import contextlib
import io
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import trustme

from tests.conftest import ROOT
from tests.integration.environment import Environment
from tests.integration.own_services import BODY, post, settings
from tests.integration.processes import free_port, running
from tests.unavailable import NGINX, nginx
from tests.waiting import eventually

CONFIGURATION = ROOT / "deploy" / "nginx" / "webhooks.conf"
META = "client.webhooks.fbclientcerts.com"
MEBIBYTE = 2**20
# What a main configuration has around it; a test's nginx writes nothing outside its directory.
AROUND = """
{user}
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/webhooks.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Edge:
    """A running proxy in front of a receiver, and who signs certificates: the server's, and Meta's."""

    url: str
    receiver_port: str
    servers: trustme.CA
    meta: trustme.CA

    @contextlib.asynccontextmanager
    async def client(self, certificate: trustme.LeafCert | None) -> AsyncIterator[aiohttp.ClientSession]:
        context = ssl.create_default_context()
        self.servers.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield session

    async def post(
        self, certificate: trustme.LeafCert | None, environment: Environment, body: bytes = BODY, **headers: str
    ) -> int:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            self.client(certificate) as client,
            client.post(
                f"{self.url}/webhooks/meta", data=io.BytesIO(body), headers=environment.signed(body) | more
            ) as answer,
        ):
            return answer.status


@pytest.fixture(scope="module")
async def edge(
    environment: Environment, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    if (why := nginx()) is not None:
        pytest.skip(why)
    directory = tmp_path_factory.mktemp("edge")
    servers, meta = trustme.CA(), trustme.CA()
    server = servers.issue_cert("127.0.0.1")
    server.cert_chain_pems[0].write_to_path(directory / "server.pem")
    server.private_key_pem.write_to_path(directory / "server.key")
    meta.cert_pem.write_to_path(directory / "meta-ca.pem")
    given = settings(environment, TRUSTED_PROXIES="127.0.0.1")
    port = free_port()
    configure(directory, port, given["PORT"])
    async with (
        running("ingest_service", directory / "ingest.log", http, **given),
        started(directory),
    ):
        edge = Edge(f"https://127.0.0.1:{port}", given["PORT"], servers, meta)

        async def listens() -> bool:
            with contextlib.suppress(aiohttp.ClientConnectorError):
                async with edge.client(None) as client, client.get(edge.url) as answer:
                    return answer.status == 400
            return False

        await eventually(listens)
        yield edge


def configure(directory: Path, port: int, receiver_port: str) -> None:
    """Write the shipped configuration with the test's addresses and files."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    for shipped, own in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{receiver_port};"),
        ("/etc/prime-sms/tls", str(directory)),
        ("/var/log/nginx", str(directory)),
    ):
        assert shipped in text
        text = text.replace(shipped, own)
    (directory / "webhooks.conf").write_text(text)
    # Its workers would be somebody who cannot look into a test's directory.
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(AROUND.format(user=user, directory=directory))


@contextlib.asynccontextmanager
async def started(directory: Path) -> AsyncIterator[None]:
    arguments = ("-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log"))
    process = await asyncio.create_subprocess_exec(NGINX, *arguments, stdin=asyncio.subprocess.DEVNULL)
    try:
        yield
        assert process.returncode is None, (directory / "error.log").read_text()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def test_metas_certificate_comes_through(edge: Edge, environment: Environment) -> None:
    certificate = edge.meta.issue_cert(META, common_name=META)
    assert await edge.post(certificate, environment) == 200
    # What the client says of itself is replaced by what the proxy has seen.
    assert await edge.post(certificate, environment, X_Client_CN="somebody.example") == 200


async def test_metas_verification_comes_through(edge: Edge, environment: Environment) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "7"}
    query["hub.verify_token"] = environment["META_VERIFY_TOKENS"].split(",")[0]
    async with (
        edge.client(edge.meta.issue_cert(META, common_name=META)) as client,
        client.get(f"{edge.url}/webhooks/meta", params=query) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "7")


async def test_no_certificate_or_one_of_another_ca_is_refused(edge: Edge, environment: Environment) -> None:
    assert await edge.post(None, environment, X_Client_CN=META) == 400
    stranger = trustme.CA().issue_cert(META, common_name=META)
    assert await edge.post(stranger, environment, X_Client_CN=META) == 400


@pytest.mark.parametrize(
    ("common_name", "organization"),
    [
        ("somebody.example", None),
        (f"{META}.example", None),
        (f"x{META}", None),
        ("somebody.example", f"x,CN={META}"),
        ("somebody.example", f"CN={META},x"),
        (f"{META},x", None),
    ],
)
async def test_another_name_is_refused(
    edge: Edge, environment: Environment, common_name: str, organization: str | None
) -> None:
    certificate = edge.meta.issue_cert(META, common_name=common_name, organization_name=organization)
    assert await edge.post(certificate, environment, X_Client_CN=META) == 403


async def test_nobody_gets_past_the_proxy_by_saying_so(
    edge: Edge, environment: Environment, http: aiohttp.ClientSession
) -> None:
    assert await post(http, environment, edge.receiver_port) == 403


async def test_metas_largest_body_comes_through_and_a_larger_one_does_not(edge: Edge, environment: Environment) -> None:
    certificate = edge.meta.issue_cert(META, common_name=META)
    assert await edge.post(certificate, environment, body=BODY + b" " * (3 * MEBIBYTE)) == 200
    assert await edge.post(certificate, environment, body=b" " * (4 * MEBIBYTE + 1)) == 413


async def test_other_addresses_are_not_passed_on(edge: Edge) -> None:
    async with edge.client(edge.meta.issue_cert(META, common_name=META)) as client:
        for path in ("/", "/metrics", "/webhooks/meta/", "/webhooks/meta/../../metrics"):
            async with client.get(edge.url + path) as answer:
                assert answer.status == 404
