"""The signature over raw bytes, and every way of getting it wrong."""

import hashlib
import hmac

import pytest

from ingest_service.signature import HEADER, SignatureFault, matching_secret, presented

SECRET = b"test_app_secret"
# Meta's rule applied by hand to exact bytes; the second body differs by spaces only.
COMPACT = b'{"object":"whatsapp_business_account","entry":[]}'
SPACED = b'{"object": "whatsapp_business_account", "entry": []}'
VECTORS = {
    COMPACT: "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
    SPACED: "56cbbaf4961c6cfdae48b7f116c047e5eb513d2c931baae63a2bc1afd26f803a",
}


def headers(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"example.test"), *((HEADER, value) for value in values)]


def sign(body: bytes, secret: bytes) -> bytes:
    return b"sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


@pytest.mark.parametrize(("body", "digest"), VECTORS.items())
def test_known_bodies_verify(body: bytes, digest: str) -> None:
    assert matching_secret(body, b"sha256=" + digest.encode(), [SECRET]) == 0


def test_the_position_of_the_secret_is_told() -> None:
    assert matching_secret(b"body", sign(b"body", b"previous"), [b"current", b"previous"]) == 1


@pytest.mark.parametrize("signature", [sign(b"body", b"other"), sign(b"body ", SECRET)])
def test_another_secret_or_body_does_not_verify(signature: bytes) -> None:
    assert matching_secret(b"body", signature, [SECRET]) is None


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([], SignatureFault.MISSING),
        ([sign(b"", SECRET)] * 2, SignatureFault.DOUBLED),
        ([b""], SignatureFault.MALFORMED),
        ([b"sha1=" + b"0" * 40], SignatureFault.MALFORMED),
        ([b"0" * 64], SignatureFault.MALFORMED),
        ([b"sha256=" + b"0" * 63], SignatureFault.MALFORMED),
        ([b"sha256=" + b"0" * 65], SignatureFault.MALFORMED),
        ([b"sha256=" + b"g" * 64], SignatureFault.MALFORMED),
        ([b"sha256=" + b"\xe9" * 64], SignatureFault.MALFORMED),
        ([b"sha256=" + b"0" * 64 + b"\n"], SignatureFault.MALFORMED),
    ],
)
def test_headers_that_are_refused(values: list[bytes], fault: SignatureFault) -> None:
    assert presented(headers(*values)) is fault


def test_the_one_header_is_given() -> None:
    assert presented(headers(sign(b"body", SECRET))) == sign(b"body", SECRET)
