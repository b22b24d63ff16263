"""JSON that Postgres can hold, and its one canonical form for hashing. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import msgspec

MAX_DEPTH = 64


def storable(value: Any, *, without: frozenset[str] = frozenset(), depth: int = 0) -> Any:
    """The same JSON in a form jsonb accepts, less every key named in ``without`` (any depth, any case).

    jsonb refuses NUL, lone surrogates, NaN and infinities, all of which arrive over HTTP; they become
    U+FFFD and null. What is nested deeper than ``MAX_DEPTH`` becomes null. Whole floats become integers,
    as jsonb itself does not keep 1e3 and 1000 apart.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return None
        found = {}
        for key, item in value.items():
            if without and str(key).lower() in without:
                continue
            # Most of a result are words and places: not worth a call each.
            kind = type(item)
            clean = (kind is str and item.isascii() and "\x00" not in item) or (
                kind is float and item % 1 > 0  # neither whole nor NaN nor infinite
            )
            found[_text(str(key))] = (
                item if clean else storable(item, without=without, depth=depth + 1)
            )
        return found
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 1024 else None
    if isinstance(value, list | tuple):
        if depth >= MAX_DEPTH:
            return None
        return [storable(item, without=without, depth=depth + 1) for item in value]
    return _text(str(value))


def _text(value: str) -> str:
    if value.isascii():
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\x00", "\ufffd")


def read_json(text: str | bytes | bytearray | memoryview) -> Any:
    """The JSON. Raises ValueError; lone surrogates pass, as they do in the standard library."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(text if isinstance(text, str) else bytes(text))


def plain(value: Any) -> str:
    """JSON for a jsonb column, in the order of its keys. Expects ``storable`` values."""
    return msgspec.json.encode(value).decode()


def canonical(value: Any) -> bytes:
    """Bytes that are equal for equal JSON: keys sorted, no blanks. Expects ``storable`` values."""
    return msgspec.json.encode(value, order="sorted")


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, hexadecimal. Expects ``storable`` values."""
    return hashlib.sha256(canonical(value)).hexdigest()
