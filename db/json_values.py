"""JSON that Postgres can hold, and its one canonical form for hashing. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

MAX_DEPTH = 64


def storable(value: Any, *, without: frozenset[str] = frozenset(), depth: int = 0) -> Any:
    """The same JSON in a form jsonb accepts, less every key named in ``without`` (any depth, any case).

    jsonb refuses NUL, lone surrogates, NaN and infinities, all of which arrive over HTTP; they become
    U+FFFD and null. What is nested deeper than ``MAX_DEPTH`` becomes null. Whole floats become integers,
    as jsonb itself does not keep 1e3 and 1000 apart.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 1024 else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    if depth >= MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {
            _text(str(key)): storable(item, without=without, depth=depth + 1)
            for key, item in value.items()
            if not (without and str(key).lower() in without)
        }
    if isinstance(value, list | tuple):
        return [storable(item, without=without, depth=depth + 1) for item in value]
    return _text(str(value))


def _text(value: str) -> str:
    if value.isascii():
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\x00", "\ufffd")


def canonical(value: Any) -> bytes:
    """Bytes that are equal for equal JSON: keys sorted, no blanks. Expects ``storable`` values."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, hexadecimal. Expects ``storable`` values."""
    return hashlib.sha256(canonical(value)).hexdigest()
