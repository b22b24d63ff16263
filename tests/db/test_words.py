"""Stored words come back as they were; boxes find the words a reviewer means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.words import (
    PageWords,
    WordsDamaged,
    WordSource,
    make_page,
    pack,
    snap,
    unpack,
    words_under,
)

_ATTRIBUTES = ("boxes", "fonts", "sizes", "sources", "confidences", "rulings")


def _same(left: PageWords, right: PageWords) -> bool:
    return (
        (left.number, left.width, left.height, left.texts, left.font_names)
        == (right.number, right.width, right.height, right.texts, right.font_names)
        and left.image_cover == pytest.approx(right.image_cover)
        and all(np.array_equal(getattr(left, a), getattr(right, a)) for a in _ATTRIBUTES)
        and (left.ink is None) == (right.ink is None)
        and (left.ink is None or np.array_equal(left.ink, right.ink))
    )


def _page(number: int = 0) -> PageWords:
    return make_page(
        number,
        612.0,
        792.0,
        [
            ("Total:", (50, 100, 80, 110)),
            ("1.234,50", (90, 100, 130, 110)),
            ("€", (133, 100, 138, 110)),
        ],
        font_names=("Helvetica", "Times New"),
        fonts=[0, 1, 0],
        source=WordSource.OCR,
        confidences=[0.5, 0.75, 1.0],
        rulings=[(40, 120, 200, 120)],
        image_cover=0.25,
        ink=np.arange(12, dtype=np.uint8).reshape(3, 4),
    )


def test_pages_come_back_as_they_were_stored() -> None:
    pages = [_page(0), make_page(1, 300.5, 200.25), _page(2)]
    found = unpack(pack(pages))
    assert len(found) == 3
    assert all(_same(a, b) for a, b in zip(pages, found, strict=True))


def test_stored_again_without_being_looked_at_they_are_the_same_bytes() -> None:
    data = pack([_page()])
    assert pack(unpack(data)) == data


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_text_is_stored(texts: list[str]) -> None:
    page = make_page(0, 100, 100, [(text, (0, 0, 1, 1)) for text in texts])
    (found,) = unpack(pack([page]))
    cleaned = tuple(
        "".join(" " if c in "\n\r\0" else c for c in text).encode("utf-8", "replace").decode()
        for text in texts
    )
    assert found.texts == cleaned


@given(st.integers(0, 400))
def test_words_cut_short_are_refused(length: int) -> None:
    data = pack([_page()])
    with pytest.raises(WordsDamaged):
        unpack(data[: min(length, len(data) - 1)])


def test_another_format_is_refused_by_name() -> None:
    with pytest.raises(WordsDamaged, match="'9' is not known"):
        unpack(b"FLW9" + pack([_page()])[4:])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((85, 95, 140, 115), [1, 2]),  # generous
        ((95, 103, 125, 107), [1]),  # inside one word
        ((88, 99, 112, 111), [1]),  # half of it
        ((140, 115, 85, 95), [1, 2]),  # drawn from the bottom right
        ((300, 300, 310, 310), []),
    ],
)
def test_a_box_means_the_words_it_covers(
    box: tuple[float, float, float, float], expected: list[int]
) -> None:
    assert words_under(_page(), box).tolist() == expected


def test_snapping_gives_the_tight_box_and_the_text() -> None:
    assert snap(_page(), (85, 95, 140, 115)) == ((90.0, 100.0, 138.0, 110.0), "1.234,50 €")
    assert snap(_page(), (300, 300, 310, 310)) == (None, "")
    assert snap(make_page(0, 10, 10), (0, 0, 10, 10)) == (None, "")
