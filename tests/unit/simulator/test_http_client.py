import asyncio

import pytest

from tests.simulator.http_client import Poster

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Listener:
    """Sends the same bytes after every request, and remembers what it got on how many connections."""

    def __init__(self, answer: bytes) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await reader.read(65536):
            self.requests.append(head)
            writer.write(self._answer)
            await writer.drain()
            if not self._answer:
                break
        writer.close()


async def post_twice(listener: Listener) -> list[int]:
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks/meta?a=b"
        async with Poster(url, {"Content-Type": "application/json"}, limit=1, timeout_seconds=5) as poster:
            return [await poster.post(content, "sha256=00") for content in (b"one", b"second")]


async def test_requests_are_whole_and_share_a_connection() -> None:
    listener = Listener(OK)

    assert await post_twice(listener) == [200, 200]
    assert listener.connections == 1
    head, _, content = listener.requests[1].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /webhooks/meta?a=b HTTP/1.1"
    assert lines[1].startswith("Host: 127.0.0.1:")
    assert lines[2:] == ["Content-Type: application/json", "Content-Length: 6", "X-Hub-Signature-256: sha256=00"]
    assert content == b"second"


async def test_a_connection_that_the_answer_closes_is_not_used_again() -> None:
    listener = Listener(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    assert await post_twice(listener) == [200, 200]
    assert listener.connections == 2


@pytest.mark.parametrize("answer", [b"", b"this is not HTTP\r\n\r\n"], ids=["none", "garbage"])
async def test_no_answer_is_an_error(answer: bytes) -> None:
    with pytest.raises(ConnectionError):
        await post_twice(Listener(answer))


async def test_an_address_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="no address"):
        Poster("/webhooks/meta", {}, limit=1, timeout_seconds=1)
