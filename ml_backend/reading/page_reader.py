"""One page of a PDF: from what is on it to its words, whatever it takes, and its picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from db.words import WordSource
from ml_backend.reading import fallback
from ml_backend.reading.forms import FieldValues
from ml_backend.reading.frame import Frame
from ml_backend.reading.judge import MUCH_IMAGE, Evidence, PageKind, kind_of
from ml_backend.reading.limits import Limits
from ml_backend.reading.ocr import OCR_DPI
from ml_backend.reading.page_image import DPI, blank, dots_for, drawn_words, encode, ink_of
from ml_backend.reading.page_objects import displayed_rulings, image_cover
from ml_backend.reading.page_read import PageRead, Warned
from ml_backend.reading.pdf_pages import PdfPage
from ml_backend.reading.scans import read_scan, turned
from ml_backend.reading.text_layer import TextLayer
from ml_backend.reading.word_table import (
    WordTable,
    from_plumber,
    from_text_layer,
    merged,
    not_under,
    on_page,
    page_words,
    table,
)

_LATIN_END = "\u024f"
_BY_OCR = (PageKind.SCAN, PageKind.DRAWN_TEXT, PageKind.BROKEN_MAP)


class PageReader:
    """One page being read; collects its warnings and the tools it took."""

    def __init__(
        self, data: bytes, number: int, page: PdfPage, languages: str, limits: Limits
    ) -> None:
        self._data = data
        self._number = number
        self._page = page
        self._languages = languages
        self._limits = limits
        self._warnings: list[Warned] = []
        self._tools: list[str] = []
        self._needs_ocr = False

    def read(self, *, draw: bool, picture: bool) -> PageRead:
        """The page; without ``draw`` nothing is drawn, without ``picture`` no picture is made."""
        frame = self._page.frame
        objects = self._page.objects()
        cover = image_cover(objects, frame)
        drawn = self._drawn() if draw else None
        grey = drawn.convert("L") if drawn else None
        inked = ink_of(grey, frame.width, frame.height) if grey else None
        layer, map_errors = self._page.judged_text()
        kind = kind_of(
            Evidence(
                chars=layer.char_count,
                text_objects=objects.text_objects,
                invisible_text_objects=objects.invisible_text_objects,
                image_cover=cover,
                map_error_share=map_errors,
                ink=float(inked.mean()) / 255 if inked is not None else 0.0,
            )
        )
        words = self._of_layer(layer, kind, grey)
        fields = self._page.fields()
        turns = 0
        if kind is PageKind.LOST:
            words = self._by_fallback(words, layer.char_count)
        elif kind in _BY_OCR:
            words, turns = self._by_ocr(kind, words, fields)
        if turns:
            frame = replace(frame, quarter_turns=(frame.quarter_turns + turns) % 4)
            drawn = turned(drawn, turns) if drawn else None
            inked = np.rot90(inked, -turns) if inked is not None else None
        words = self._capped(_with_fields(words, fields, frame))
        return PageRead(
            words=page_words(
                self._number,
                frame.width,
                frame.height,
                words,
                displayed_rulings(objects, frame),
                cover,
                inked,
            ),
            image=encode(self._number, drawn, photo=cover > MUCH_IMAGE)
            if drawn and picture
            else blank(self._number, frame.width, frame.height, self._limits.page_pixels),
            warnings=tuple(self._warnings),
            needs_ocr=self._needs_ocr,
            tools=tuple(self._tools),
        )

    def _drawn(self) -> Image.Image:
        return self._page.render(self._dots(DPI))

    def _dots(self, dpi: float) -> float:
        frame = self._page.frame
        return dots_for(frame.width, frame.height, dpi, self._limits.page_pixels)

    def _of_layer(self, layer: TextLayer, kind: PageKind, grey: Image.Image | None) -> WordTable:
        """The words of the text layer that can be seen."""
        frame = self._page.frame
        source = WordSource.OCR_LAYER if kind is PageKind.OCR_LAYER else WordSource.TEXT
        words, outside = on_page(from_text_layer(layer, frame, source), frame.width, frame.height)
        if outside:
            self._warn("words_outside", f"has {outside} words outside its visible part; left out.")
        if grey is None or source is not WordSource.TEXT or not len(words):
            return words
        shown = drawn_words(grey, frame.width, frame.height, words.boxes)
        if not shown.all():
            # A font the file does not carry and this machine does not have draws nothing: no reason to leave
            # out text that is there for others.
            shown |= np.array([max(text) > _LATIN_END for text in words.texts])
        hidden = len(words) - int(shown.sum())
        if not hidden:
            return words
        self._warn("hidden_words", f"has {hidden} words that cannot be seen on it; left out.")
        return words.take(shown)

    def _by_fallback(self, words: WordTable, chars: int) -> WordTable:
        """pdfplumber's words, if it finds more of them."""
        try:
            found = fallback.read_words(self._data, self._number)
        except fallback.FallbackFailed:
            found = None
        if found is None or found.char_count <= chars:
            self._warn("text_lost", "seems to hold more text than could be read.")
            return words
        self._tools.append(fallback.name())
        frame = self._page.frame
        return on_page(from_plumber(found, frame), frame.width, frame.height)[0]

    def _by_ocr(
        self, kind: PageKind, words: WordTable, fields: FieldValues | None
    ) -> tuple[WordTable, int]:
        """OCR's words, and the quarter turns that make the page upright; the old words if it has none."""
        dpi = self._dots(OCR_DPI)
        scanned = read_scan(
            lambda: self._page.render(dpi, grey=True), dpi, self._languages, self._limits
        )
        if not len(scanned.words) and (kind is PageKind.DRAWN_TEXT or fields):
            return words, 0  # a drawing, or a form of which only the frames are drawn
        for code, message in scanned.problems:
            self._warn(code, message)
        self._needs_ocr = scanned.needs_ocr
        self._tools.extend(scanned.tools)
        if scanned.quarter_turns:
            degrees = 90 * scanned.quarter_turns
            self._warn("turned", f"is not upright in the file; it is shown turned by {degrees}°.")
        return scanned.words if len(scanned.words) else words, scanned.quarter_turns

    def _capped(self, words: WordTable) -> WordTable:
        most = self._limits.page_words
        if len(words) <= most:
            return words
        self._warn("too_many_words", f"has {len(words)} words; the first {most} were kept.")
        return words.take(np.arange(most))

    def _warn(self, code: str, what: str) -> None:
        self._warnings.append(Warned(code, self._number, f"Page {self._number + 1} {what}"))


def _with_fields(words: WordTable, fields: FieldValues | None, frame: Frame) -> WordTable:
    """Form values in their places; OCR saw them drawn as well, and is not asked twice."""
    if fields is None or not fields.texts:
        return words
    values, _ = on_page(
        table(fields.texts, frame.display(fields.boxes), WordSource.FIELD),
        frame.width,
        frame.height,
    )
    return merged(not_under(words, values.boxes, WordSource.OCR), values)
