from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.json_values import MAX_DEPTH, canonical, plain, read_answer, read_json, storable

TEXTS = st.text(st.characters(), max_size=8)  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**80), 2**80) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def plainly_storable(value, without, depth=0):
    """What ``storable`` promises, without its short cuts."""
    if isinstance(value, str):
        whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return whole.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return (
            None
            if depth >= MAX_DEPTH
            else {
                plainly_storable(key, without): plainly_storable(item, without, depth + 1)
                for key, item in value.items()
                if key.lower() not in without
            }
        )
    if isinstance(value, list):
        if depth >= MAX_DEPTH:
            return None
        return [plainly_storable(item, without, depth + 1) for item in value]
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value.is_integer() else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value.bit_length() <= 1024 else None
    return value


RESULT_LIKE = st.dictionaries(
    st.sampled_from(["id", "text", "x", "Token", "é", "\x00"]),
    JSON | st.lists(TEXTS, max_size=2) | st.integers(-(2**1030), 2**1030),
    max_size=4,
)


@given(
    JSON | RESULT_LIKE | st.lists(RESULT_LIKE, max_size=3),
    st.sampled_from([frozenset(), frozenset({"token"})]),
    st.sampled_from([0, MAX_DEPTH - 3, MAX_DEPTH - 2, MAX_DEPTH - 1]),
)
def test_the_short_cuts_change_nothing(value, without, depth):
    before = repr(value)
    kept = storable(value, without=without, depth=depth)
    assert repr(kept) == repr(plainly_storable(value, without, depth))
    assert repr(value) == before


@given(JSON)
def test_an_answer_is_read_with_whole_numbers_as_integers(value):
    text = json.dumps(value).encode()
    assert repr(storable(read_answer(text))) == repr(storable(json.loads(text)))


@given(JSON)
def test_json_is_read_as_the_standard_library_reads_it(value):
    text = json.dumps(value)
    expected = json.loads(text)
    assert repr(read_json(text)) == repr(read_json(text.encode())) == repr(expected)


@pytest.mark.parametrize("text", ["", "{", "nan", b"\xff", '{"a": 1} x'])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - each reader has a sentence of its own
        read_json(text)


@given(JSON)
def test_storable_values_survive_being_written(value):
    kept = storable(value)
    assert storable(kept) == kept
    assert read_json(plain(kept)) == read_json(canonical(kept)) == kept
    assert canonical(read_json(plain(kept))) == canonical(kept)


@given(st.dictionaries(TEXTS, st.integers(), min_size=2))
def test_the_order_of_keys_does_not_change_the_canonical_form(value):
    kept = storable(value)
    assert canonical(dict(reversed(kept.items()))) == canonical(kept)


def test_secrets_are_left_out_at_any_depth():
    given_ = {"a": [{"Token": "t", "b": 1.0}], "token": {"x": 1}}
    assert storable(given_, without=frozenset({"token"})) == {"a": [{"b": 1}]}
