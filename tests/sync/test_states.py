"""Reading what Label Studio tells, in the one form that is hashed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from db.json_values import digest, storable
from sync.states import content_hash, read_annotation

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(st.characters(codec=None, categories=None), max_size=5)
    | st.sampled_from(["\x00", "\ud800", "é", "\U0001f600", "\\u0000", 10**400, 1e300, -0.0, 5.0])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_the_hash_is_that_of_result_and_skipping(value, skipped):
    row = {
        "id": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "result": value,
        "was_cancelled": skipped,
    }
    state = read_annotation(row, lambda number: None)
    expected = storable(value)
    if expected is None:
        expected = []
    assert state.sha256 == digest([expected, skipped]) == content_hash(expected, skipped)
