"""Words by pdfplumber, where pdfium refuses a file or loses its text. Some thirty times slower."""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.reading.frame import Frame

X_TOLERANCE_RATIO = 0.15
"""pdfplumber's own default glues words in small type; this finds one word in eight more."""


class FallbackFailed(Exception):
    """pdfplumber cannot read the file or the page either."""


@dataclass(frozen=True, slots=True)
class PlumberWords:
    """Words in pdfplumber's order; boxes (n, 4) left, bottom, right, top in the page's own coordinates."""

    texts: list[str]
    boxes: NDArray[np.float64]
    sizes: NDArray[np.float64]
    fonts: NDArray[np.uint16]
    font_names: tuple[str, ...]
    frame: Frame

    @property
    def char_count(self) -> int:
        return sum(map(len, self.texts))


def name() -> str:
    return f"pdfplumber {version('pdfplumber')}"


def count_pages(data: bytes, limit: int) -> int:
    """Pages of a file, counted up to one more than ``limit``. Raises FallbackFailed."""
    with _opened(data) as pdf:
        return sum(1 for _ in itertools.islice(_page_objects(pdf), limit + 1))


def read_words(data: bytes, number: int) -> PlumberWords:
    """The words of page ``number`` (0-based). Raises FallbackFailed."""
    with _opened(data) as pdf, _page(pdf, number) as (page, frame):
        found = page.extract_words(
            x_tolerance_ratio=X_TOLERANCE_RATIO, extra_attrs=["fontname", "size"]
        )
        # Above the page's own box in pdfplumber's terms; PDF coordinates grow upwards.
        top = page.mediabox[3] - page.mediabox[1]
        names: dict[str, int] = {}
        fonts = [
            names.setdefault(str(word["fontname"]).rpartition("+")[2], len(names)) for word in found
        ]
        return PlumberWords(
            texts=[word["text"] for word in found],
            boxes=np.array(
                [(w["x0"], top - w["bottom"], w["x1"], top - w["top"]) for w in found], np.float64
            ).reshape(-1, 4),
            sizes=np.array([word["size"] for word in found], np.float64),
            fonts=np.array(fonts, np.uint16),
            font_names=tuple(names),
            frame=frame,
        )


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    import pdfplumber

    # It warns about every odd operator, once per page.
    logging.getLogger("pdfminer").setLevel(logging.ERROR)
    try:
        pdf = pdfplumber.open(io.BytesIO(data))
    except Exception as error:
        raise FallbackFailed(str(error) or type(error).__name__) from error
    try:
        yield pdf
    except FallbackFailed:
        raise
    except Exception as error:
        raise FallbackFailed(str(error) or type(error).__name__) from error
    finally:
        pdf.stream.close()


def _page_objects(pdf: Any) -> Iterator[Any]:
    from pdfminer.pdfpage import PDFPage

    return iter(PDFPage.create_pages(pdf.doc))


@contextmanager
def _page(pdf: Any, number: int) -> Iterator[tuple[Any, Frame]]:
    """A page, unturned: on turned pages pdfplumber gives shreds and reversed words."""
    from pdfplumber.page import Page

    found = next(itertools.islice(_page_objects(pdf), number, None), None)
    if found is None:
        raise FallbackFailed(f"there is no page {number + 1}")
    turns = round(float(found.rotate or 0) / 90) % 4
    found.rotate = 0
    found.attrs["Rotate"] = 0
    page = Page(pdf, found, number + 1)
    try:
        yield page, _frame(page, turns)
    finally:
        page.close()


def _frame(page: Any, turns: int) -> Frame:
    height = page.mediabox[3] - page.mediabox[1]
    media, crop = page.mediabox, page.cropbox
    left, right = max(media[0], crop[0]), min(media[2], crop[2])
    top, bottom = max(media[1], crop[1]), min(media[3], crop[3])
    if right <= left or bottom <= top:
        left, top, right, bottom = media
    return Frame(left, height - bottom, right, height - top, turns)
