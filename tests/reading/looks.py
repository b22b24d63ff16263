"""What tests of reading look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from db.words import INK_CELL, PageWords, WordSource
from ml_backend.reading.limits import Limits
from ml_backend.reading.media import sniff
from ml_backend.reading.page_image import PageImage
from ml_backend.reading.reader import ReadResult, read_document

CORPUS = Path(__file__).parents[3] / "shared" / "pdf" / "corpus"


def read(data: bytes, *, limits: Limits | None = None, pictures: bool = False) -> ReadResult:
    media_type = sniff(data)
    assert media_type is not None
    return read_document(data, media_type=media_type, limits=limits, pictures=pictures)


def read_page(data: bytes) -> PageWords:
    (page,) = read(data).pages
    return page


def read_with_image(data: bytes) -> tuple[PageWords, PageImage]:
    images: list[PageImage] = []
    media_type = sniff(data)
    assert media_type is not None
    result = read_document(
        data, media_type=media_type, on_page=lambda page: images.append(page.image)
    )
    (page,), (image,) = result.pages, images
    return page, image


def codes(result: ReadResult) -> list[str]:
    return [warning.code for warning in result.warnings]


def sources(page: PageWords) -> set[WordSource]:
    return {WordSource(source) for source in page.sources.tolist()}


def box_of(page: PageWords, text: str) -> list[float]:
    return page.boxes[page.texts.index(text)].tolist()


def ink_under(page: PageWords) -> np.ndarray:
    """For each word: the darkest cell of ink in its box, 0..255."""
    assert page.ink is not None
    found = []
    for x0, y0, x1, y1 in (page.boxes / INK_CELL).tolist():
        cells = page.ink[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))]
        found.append(int(cells.max()) if cells.size else 0)
    return np.array(found)


def ink_beside(page: PageWords, margin: float = 3.0) -> float:
    """Share of the page's ink that is in no word's box."""
    assert page.ink is not None
    left = page.ink.astype(np.float64)
    whole = left.sum()
    for x0, y0, x1, y1 in page.boxes.tolist():
        left[
            max(0, int((y0 - margin) / INK_CELL)) : int((y1 + margin) / INK_CELL) + 1,
            max(0, int((x0 - margin) / INK_CELL)) : int((x1 + margin) / INK_CELL) + 1,
        ] = 0
    return float(left.sum() / whole)
