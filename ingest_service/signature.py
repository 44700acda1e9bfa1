"""Meta's signature: HMAC-SHA256 over the bytes as they came (Meta: create-webhook-endpoint, "Validating payloads")."""

import hmac
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

HEADER: Final = b"x-hub-signature-256"
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
        if hmac.compare_digest(signature, b"sha256=" + hmac.digest(secret, body, "sha256").hex().encode()):
            return position
    return None
