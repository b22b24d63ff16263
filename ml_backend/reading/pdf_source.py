"""A PDF: each page's words from wherever they are to be had, and its picture."""

from __future__ import annotations

import numpy as np

from db.words import WordSource
from ml_backend.reading import fallback
from ml_backend.reading.limits import Limits
from ml_backend.reading.page_image import blank
from ml_backend.reading.page_read import PageRead, Warned
from ml_backend.reading.page_reader import PageReader
from ml_backend.reading.pdf_pages import PdfPages, reader_name
from ml_backend.reading.word_table import from_plumber, on_page, page_words, table

_EMPTY = table([], np.zeros((0, 4)), WordSource.TEXT)
_LATIN_ = "\u024f"


class PdfSource:
    """Pages by pdfium; single pages by pdfplumber or OCR where pdfium's text misleads."""

    def __init__(self, data: bytes, languages: str, limits: Limits) -> None:
        self._data = data
        self._languages = languages
        self._limits = limits
        self._pdf = PdfPages(data)
        self.reader = reader_name()

    def __len__(self) -> int:
        return len(self._pdf)

    def warnings(self) -> list[Warned]:
        values = self._pdf.xfa_values()
        if values is None:
            return []
        return [
            Warned(
                "xfa",
                None,
                f"The file is an XFA form with {values} values; only those that a form field on a page holds were "
                "read. Print it to a new PDF to have the others.",
            )
        ]

    def size(self, number: int) -> tuple[float, float]:
        return self._pdf.size(number) or (612.0, 792.0)

    def read(self, number: int, *, draw: bool, picture: bool) -> PageRead:
        with self._pdf.page(number) as page:
            if page is None:
                return self._unloadable(number)
            reader = PageReader(self._data, number, page, self._languages, self._limits)
            return reader.read(draw=draw, picture=picture)

    def _unloadable(self, number: int) -> PageRead:
        warnings = [
            Warned("page_damaged", number, f"Page {number + 1} is damaged; it is shown white.")
        ]
        return plumber_page(self._data, number, self._limits, warnings)


def plumber_page(data: bytes, number: int, limits: Limits, warnings: list[Warned]) -> PageRead:
    """A page that only pdfplumber can read: its words on white."""
    try:
        found = fallback.read_words(data, number)
    except fallback.FallbackFailed:
        words, width, height = _EMPTY, 612.0, 792.0
        tools: tuple[str, ...] = ()
    else:
        width, height = found.frame.width, found.frame.height
        words, _ = on_page(from_plumber(found), width, height)
        tools = (fallback.name(),)
    return PageRead(
        words=page_words(number, width, height, words, np.zeros((0, 4)), 0.0, None),
        image=blank(number, width, height, limits.page_pixels),
        warnings=tuple(warnings),
        tools=tools,
    )
