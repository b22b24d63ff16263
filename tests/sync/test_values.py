"""What a state says: the same whether it was read ahead of its turn or in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from db.regions import PageSize
from sync.states import read_annotation
from sync.values import Context, Predicted, needs_words, read_state, understand
from tests.sync.mirroring import PlainReader, region

READER = PlainReader([])
WHEN = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
PAGES = (PageSize(1000, 1000),)
SAME_PLACE = (100.0, 100.0, 300.0, 125.0)


def state_of(result, **values):
    row = {"id": 1, "created_at": WHEN, "updated_at": WHEN, "result": result}
    return read_annotation(row | values, lambda _: None)


def predicted(key, text="1"):
    return Predicted(key, "total", None, text, 0, SAME_PLACE, 0.5)


RESULT = [*region("a"), *region("b", text="2"), *region("c", None), *region("d", "stranger")]


@pytest.mark.parametrize("keys", [(), ("a",), ("a", "b", "gone")])
@pytest.mark.parametrize("skipped", [False, True])
def test_read_ahead_it_says_the_same(keys, skipped):
    state = state_of(RESULT, was_cancelled=skipped)
    context = Context(PAGES, {}, {key: predicted(key) for key in keys})
    said = read_state(state, PAGES, {}, READER)
    found = understand(state, context, READER, said)
    assert found == understand(state, context, READER)
    outcomes = {value.region_id: str(value.outcome) for value in found.values}
    wanted = {
        (): {"a": "added", "b": "added", "d": "added"},
        ("a",): {"a": "accepted", "b": "added", "d": "added"},
        ("a", "b", "gone"): {"a": "accepted", "b": "corrected", "d": "added", "gone": "removed"},
    }[keys]
    if skipped:
        wanted.pop("gone", None)
    assert outcomes == wanted
    # It may be compared again, with another prediction: what was read stays as it was.
    assert said == read_state(state, PAGES, {}, READER)


def test_what_was_read_against_other_pages_is_read_anew():
    state = state_of(RESULT)
    other = (PageSize(500, 500),)
    context = Context(other)
    found = understand(state, context, READER, read_state(state, PAGES, {}, READER))
    assert found == understand(state, context, READER)
    assert found.values[0].box == (50.0, 50.0, 150.0, 62.5)


def test_a_box_without_text_needs_the_words_of_its_page():
    assert not needs_words(state_of(region("a")))
    assert needs_words(state_of([*region("a"), *region("b", text=None)]))
