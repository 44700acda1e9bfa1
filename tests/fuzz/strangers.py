"""Requests that nobody signed: odd, broken or hostile HTTP, to be refused without harm."""

import random

GOOD_SIGNATURE = b"X-Hub-Signature-256: sha256=" + b"0" * 64
METHODS = [b"POST", b"GET", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"PRI", b"post", b"P\xffST", b""]
TARGETS = [
    b"/webhooks/meta",
    b"/webhooks/meta/",
    b"/webhooks/meta?" + b"a=b&" * 500,
    b"/%2e%2e/etc",
    b"*",
    b"//",
    b"http://other.example/webhooks/meta",
    b"/webhooks/meta%00",
    b"/\xc3\xa9",
    b"/metrics",
    b"",
    b"/webhooks/meta#x",
    b"/webhooks/meta?hub.mode=subscribe&hub.challenge=1&hub.verify_token=%ff%00",
    b"/webhooks/meta?hub.mode=subscribe&hub.verify_token=x&hub.verify_token=y&hub.challenge=<script>",
]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 ", b"HTCPCP/1.0", b""]
HEADERS = [
    GOOD_SIGNATURE,
    b"X-Hub-Signature-256: sha256=\xff\xfe",
    b"X-Hub-Signature-256:",
    b"X-Hub-Signature: sha1=00",
    b"Content-Length: 5",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: -1",
    b"Content-Length: 5, 5",
    b"Content-Length: ",
    b"Content-Length: 0x5",
    b"Content-Length: +5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"Upgrade: websocket\r\nConnection: upgrade",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
    b"Connection: close",
    b"Host: ",
    b"Host: a\r\nHost: b",
    b": nameless",
    b"Bad Name: x",
    b" folded: x",
    b"X-Nul: \x00",
    b"X-Cr: a\rb",
    b"X-Large: " + b"x" * 20_000,
    b"Cookie: " + b"\xf0\x9f\x98\x80" * 50,
    b"X-Client-CN: client.webhooks.fbclientcerts.com",
]
BODIES = [
    b"",
    b"{}",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\nx",
    b"-1\r\n\r\n",
    b"0\r\nTrailer: x\r\n\r\n",
    b"\x00" * 2000,
]


def request(chance: random.Random) -> bytes:
    """Make a request; it may be none."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(1, 300))
    line = b" ".join(mostly_first(chance, parts) for parts in (METHODS, TARGETS, VERSIONS))
    lines = [line, b"Host: localhost", *(mostly_first(chance, HEADERS) for _ in range(chance.randrange(4)))]
    body = chance.choice(BODIES)
    if chance.random() < 0.8:
        lines.append(b"Content-Length: %d" % len(body))
    end = b"\n" if chance.random() < 0.05 else b"\r\n"
    content = end.join([*lines, b"", b""]) + body
    # Several at once, or one that is cut.
    if chance.random() < 0.1:
        content *= chance.randrange(2, 5)
    return content[: chance.randrange(1, len(content))] if chance.random() < 0.1 else content


def mostly_first(chance: random.Random, parts: list[bytes]) -> bytes:
    """Choose one, the first in three of four cases: one odd part is enough to be refused for."""
    return parts[0] if chance.random() < 0.75 else chance.choice(parts)
