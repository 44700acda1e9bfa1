"""JSON as Meta writes it: orjson where it can, the standard library where Meta's text is not quite JSON.

orjson refuses lone surrogates (an emoji cut in two by a length limit), NaN and deep nesting; a signed body is
never refused for those, so they take the slower way.
"""

import json
import math
from typing import Any

import orjson


class NotJsonError(ValueError):
    """The bytes are not JSON in any reading."""


def loads(text: bytes) -> Any:
    """Read JSON; lone surrogates stay in the strings. Raises NotJsonError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        # NaN and Infinity become null, as orjson writes them, so that what we publish is JSON for everyone.
        return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        # The text itself is not repeated: it holds phone numbers.
        raise NotJsonError(type(error).__name__) from None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def dumps(value: Any) -> bytes:
    """Write JSON as UTF-8; a lone surrogate is written as its escape. Raises NotJsonError for what nests too deep."""
    try:
        return orjson.dumps(value)
    except TypeError:  # orjson's JSONEncodeError is one
        pass
    try:
        # backslashreplace writes a lone surrogate as \udXXX, which is JSON's own escape for it.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")
    except RecursionError as error:
        raise NotJsonError(type(error).__name__) from None
