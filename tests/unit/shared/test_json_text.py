"""JSON that is not quite JSON."""

import sys
from typing import Any

import pytest

from shared.json_text import NotJsonError, dumps, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": "\\u00e9 \xc3\xa9"}', {"a": "é é"}),
        (b'"\\ud83d"', "\ud83d"),
        (b"[NaN, Infinity, -Infinity, 1e400, 1e3]", [None, None, None, None, 1000.0]),
        (b"[1.5, 18446744073709551615]", [1.5, 2**64 - 1]),
        (b"\xef\xbb\xbf{}", {}),
    ],
)
def test_what_can_be_read(text: bytes, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize("text", [b"", b"{", b"{'a': 1}", b'"\xff"', b"1" * 5000, b"[" * 200_000])
def test_what_cannot_be_read(text: bytes) -> None:
    with pytest.raises(NotJsonError):
        loads(text)


@pytest.mark.parametrize("value", [{"a": "é"}, ["\ud83d", "😀"], [2**70], {"a": [[]]}, "\x00\x1f\x7f\u2028"])
def test_what_is_written_is_read_again(value: Any) -> None:
    assert loads(dumps(value)) == value


def test_text_is_written_as_utf_8_and_a_lone_surrogate_as_its_escape() -> None:
    assert dumps("é\ud83d") == b'"\xc3\xa9\\ud83d"'


def test_deep_nesting_is_written_or_refused_and_never_a_crash() -> None:
    value: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 50):
        value = [value]
    with pytest.raises(NotJsonError):
        dumps(value)
