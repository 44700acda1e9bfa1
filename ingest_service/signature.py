"""Meta's signature: HMAC-SHA256 over the bytes as they came (Meta: create-webhook-endpoint, "Validating payloads")."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Final

HEADER: Final = b"x-hub-signature-256"
BLOCK_BYTES: Final = 64
SHAPE: Final = re.compile(rb"sha256=[0-9a-f]{64}")


class SignatureFault(StrEnum):
    """Why a signature is refused; labels of a metric."""

    MISSING = "missing"
    DOUBLED = "doubled"
    MALFORMED = "malformed"
    MISMATCH = "mismatch"


def presented(headers: Sequence[tuple[bytes, bytes]]) -> bytes | SignatureFault:
    """Find the one well-formed signature header in ASGI headers, or say what is wrong with it."""
    found = [value for name, value in headers if name == HEADER]
    if not found:
        return SignatureFault.MISSING
    if len(found) > 1:
        return SignatureFault.DOUBLED
    return found[0] if SHAPE.fullmatch(found[0]) else SignatureFault.MALFORMED


def matching_secret(body: bytes, signature: bytes, secrets: Sequence[bytes]) -> int | None:
    """Give the position of the app secret that signed the body, or None.

    Everything is compared as bytes: hmac.compare_digest raises on a str that is not ASCII, which would let one odd
    byte in a header turn a 401 into a 500.
    """
    for position, secret in enumerate(secrets):
        inner_key, outer_key = _keyed(secret)
        inner, outer = inner_key.copy(), outer_key.copy()
        inner.update(body)
        outer.update(inner.digest())
        if hmac.compare_digest(signature, b"sha256=" + outer.hexdigest().encode()):
            return position
    return None


@cache
def _keyed(secret: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Give SHA-256 after the inner and the outer key of HMAC (RFC 2104).

    hmac.digest prepares the key for every body, which takes longer than the body.
    """
    key = hashlib.sha256(secret).digest() if len(secret) > BLOCK_BYTES else secret
    padded = key.ljust(BLOCK_BYTES, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)), hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
