from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.json_values import canonical, plain, read_json, storable

TEXTS = st.text(st.characters(), max_size=8)  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**80), 2**80) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


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
