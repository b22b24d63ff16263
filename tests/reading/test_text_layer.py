"""Words of the text layer on pages of any length, read one after the other from shared buffers."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from ml_backend.reading.pdf_pages import PdfPages
from tests.reading.pdfs import line, page_of

COLUMNS = 40
SMALL = 4.0
"""Points."""


def many_words(count: int) -> tuple[list[str], bytes]:
    """Words that are all different, and a page of them in rows."""
    words = [f"w{number:06d}x" * 2 for number in range(count)]
    rows = [words[start : start + COLUMNS] for start in range(0, count, COLUMNS)]
    height = 20 + 5 * len(rows)
    content = b"".join(
        line(10, height - 10 - 5 * number, " ".join(row), size=SMALL)
        for number, row in enumerate(rows)
    )
    return words, page_of(content, media=(0, 0, 1600, height))


def layer_of(data: bytes):
    pdf = PdfPages(data, forms=False)
    with pdf.page(0) as page:
        layer = page.text()
    pdf.close()
    return layer


@pytest.mark.parametrize("count", [40, 1000, 1040, 5000])
def test_pages_longer_than_the_buffers_are_read_whole(count):
    words, data = many_words(count)
    layer = layer_of(data)
    assert layer.texts == words
    assert np.allclose(layer.sizes, SMALL, atol=0.01)
    assert (layer.boxes[:, 2] > layer.boxes[:, 0]).all()
    ends = layer.boxes[:, 3].reshape(-1, COLUMNS)
    assert np.allclose(ends[:, 0] - ends[:, -1], 0, atol=0.01), "rows are level"
    assert np.allclose(-np.diff(ends[:, 0]), 5, atol=0.01), "and five points apart"


def test_a_page_keeps_its_words_when_the_next_one_is_read():
    _, first = many_words(80)
    kept, again = layer_of(first), layer_of(first)
    layer_of(many_words(400)[1])
    assert kept.texts == again.texts
    for name in ("boxes", "sizes", "fonts"):
        assert np.array_equal(getattr(kept, name), getattr(again, name))


def test_a_blank_page_has_no_words():
    assert layer_of(page_of(b"")).texts == []


def test_words_in_two_fonts_each_have_their_own_size():
    content = chain.from_iterable(
        line(
            20,
            700 - 20 * n,
            f"plain{n} bold{n}".split()[n % 2],
            size=8 + n % 2,
            font=f"F{1 + n % 2}",
        )
        for n in range(10)
    )
    layer = layer_of(page_of(bytes(content)))
    assert len(layer.texts) == 10
    for text, size, font in zip(layer.texts, layer.sizes, layer.fonts, strict=True):
        bold = text.startswith("bold")
        assert size == pytest.approx(9 if bold else 8, abs=0.01)
        assert layer.font_names[font] == ("Helvetica-Bold" if bold else "Helvetica")


def test_words_on_one_line_and_words_that_are_not_are_told_apart_on_one_page():
    level = line(20, 700, "level words")
    upwards = b"BT /F1 10 Tf 0 1 -1 0 300 300 Tm (upwards) Tj ET\n"
    layer = layer_of(page_of(level + upwards))
    wide = layer.boxes[:, 2] - layer.boxes[:, 0]
    high = layer.boxes[:, 3] - layer.boxes[:, 1]
    runs_up = dict(zip(layer.texts, (high > wide).tolist(), strict=True))
    assert runs_up == {"level": False, "words": False, "upwards": True}
    assert np.allclose(layer.sizes[-1], 10, atol=0.01)


def test_words_do_not_depend_on_what_else_is_on_the_page():
    """A page of level words takes a shorter way than one on which a word runs upwards."""
    level = line(20, 700, "level words of a page")
    alone = layer_of(page_of(level))
    beside = layer_of(page_of(level + b"BT /F1 10 Tf 0 1 -1 0 300 300 Tm (upwards) Tj ET\n"))
    count = len(alone.texts)
    assert beside.texts[:count] == alone.texts
    assert np.array_equal(beside.boxes[:count], alone.boxes)
    assert np.array_equal(beside.sizes[:count], alone.sizes)
