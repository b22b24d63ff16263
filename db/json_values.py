"""JSON that Postgres can hold, and its one canonical form for hashing. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import msgspec

MAX_DEPTH = 64
_WIDE = 2**63
# Keys of Label Studio's results, not looked at each time.
_FAMILIAR = frozenset(
    {
        *("id", "type", "value", "from_name", "to_name", "origin", "score", "item_index", "text"),
        *("original_width", "original_height", "image_rotation", "x", "y", "width", "height"),
        *("rotation", "rectanglelabels", "choices"),
    }
)


def storable(value: Any, *, without: frozenset[str] = frozenset(), depth: int = 0) -> Any:
    """The same JSON in a form jsonb accepts, less every key named in ``without`` (any depth, any case).

    jsonb refuses NUL, lone surrogates, NaN and infinities, all of which arrive over HTTP; they become
    U+FFFD and null. What is nested deeper than ``MAX_DEPTH`` becomes null. Whole floats become integers,
    as jsonb itself does not keep 1e3 and 1000 apart. Parts that are fine as they are may be shared with ``value``.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return _storable_object(value, without, depth) if depth < MAX_DEPTH else None
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


def _storable_object(value: dict[Any, Any], without: frozenset[str], depth: int) -> dict[str, Any]:
    if not without and _is_storable(value, depth):
        return value
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = key if type(key) is str else str(key)
        if without and name.lower() in without:
            continue
        kind = type(item)
        if kind is str:
            if not item.isascii() or "\x00" in item:
                item = _text(item)
        elif kind is float:
            if not item % 1 > 0:  # whole, NaN or infinite
                item = int(item) if math.isfinite(item) else None
        elif kind is not int or not -_WIDE < item < _WIDE:
            item = storable(item, without=without, depth=depth + 1)
        found[name if name in _FAMILIAR else _text(name)] = item
    return found


def _is_storable(value: dict[Any, Any], depth: int) -> bool:
    """Whether nothing in an object need change, as in nearly every result: looking is cheaper than copying,
    and calls for every word and number would cost more than all the rest. Where in doubt: no."""
    for key, item in value.items():
        kind = type(item)
        if kind is str:
            if (not item.isascii() or "\x00" in item) and _text(item) != item:
                return False
        elif kind is float:
            if not item % 1 > 0:  # whole, NaN or infinite
                return False
        elif kind is int:
            if not -_WIDE < item < _WIDE:
                return False
        elif kind is dict:
            if depth + 1 >= MAX_DEPTH or not _is_storable(item, depth + 1):
                return False
        elif kind is list:
            if depth + 1 >= MAX_DEPTH:
                return False
            for entry in item:  # texts, labels, choices
                if type(entry) is not str or _text(entry) != entry:
                    return False
        elif item is not None and kind is not bool:
            return False
        if key not in _FAMILIAR and (type(key) is not str or _text(key) != key):
            return False
    return True


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


def read_answer(content: bytes) -> Any:
    """As ``read_json``, with whole floats as integers: ``storable`` then has nothing to copy."""
    try:
        return _ANSWERS.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return read_json(content)


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


_ANSWERS = msgspec.json.Decoder(float_hook=_number)


def plain(value: Any) -> str:
    """JSON for a jsonb column, in the order of its keys. Expects ``storable`` values."""
    return msgspec.json.encode(value).decode()


def canonical(value: Any) -> bytes:
    """Bytes that are equal for equal JSON: keys sorted, no blanks. Expects ``storable`` values."""
    return msgspec.json.encode(value, order="sorted")


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, hexadecimal. Expects ``storable`` values."""
    return hashlib.sha256(canonical(value)).hexdigest()
