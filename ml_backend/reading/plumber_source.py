"""A PDF that pdfium refuses: pdfplumber's words on white pages."""

from __future__ import annotations

from ml_backend.reading import fallback
from ml_backend.reading.limits import Limits
from ml_backend.reading.page_read import PageRead, Warned
from ml_backend.reading.pdf_source import plumber_page


class PlumberSource:
    """Every page by pdfplumber."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Raises FallbackFailed."""
        self._data = data
        self._limits = limits
        self._pages = fallback.count_pages(data, limits.pages)
        self.reader = fallback.name()

    def __len__(self) -> int:
        return self._pages

    def warnings(self) -> list[Warned]:
        return [
            Warned(
                "damaged",
                None,
                "The file is damaged: its words could be read, its pages cannot be drawn. "
                "Export or scan it again to see them.",
            )
        ]

    def size(self, number: int) -> tuple[float, float]:
        return 0.0, 0.0

    def read(self, number: int, *, draw: bool, picture: bool) -> PageRead:
        return plumber_page(self._data, number, self._limits, [])
