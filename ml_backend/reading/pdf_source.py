"""A PDF: each page's words from wherever they are to be had, and its picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from db.words import PageWords, WordSource
from ml_backend.reading import fallback
from ml_backend.reading.frame import Frame
from ml_backend.reading.judge import Evidence, PageKind, kind_of
from ml_backend.reading.limits import Limits
from ml_backend.reading.page_image import DPI, blank, dots_for, drawn_words, encode, ink_of
from ml_backend.reading.page_objects import (
    PageObjects,
    displayed_rulings,
    image_cover,
)
from ml_backend.reading.page_read import PageRead, Warned
from ml_backend.reading.pdf_pages import PdfPage, PdfPages, reader_name
from ml_backend.reading.scans import Scanned, read_scan, turned
from ml_backend.reading.text_layer import TextLayer
from ml_backend.reading.word_table import WordTable, from_text_layer, merged, on_page, table

_EMPTY = table([], np.zeros((0, 4)), WordSource.TEXT)
_LATIN_END = "\u024f"


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
                f"The file is an XFA form with {values} values that have no place on a page and were not read; "
                "print it to a new PDF to have them.",
            )
        ]

    def size(self, number: int) -> tuple[float, float]:
        with self._pdf.page(number) as page:
            if page is None:
                return 612.0, 792.0
            return page.frame.width, page.frame.height

    def read(self, number: int, *, draw: bool) -> PageRead:
        with self._pdf.page(number) as page:
            if page is None:
                return self._unloadable(number)
            return _PageReader(self._data, number, page, self._languages, self._limits).read(draw)

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
        words, _ = on_page(_of_plumber(found), width, height)
        tools = (fallback.name(),)
    return PageRead(
        words=page_words(number, width, height, words, np.zeros((0, 4)), 0.0, None),
        image=blank(number, width, height, limits.page_pixels),
        warnings=tuple(warnings),
        tools=tools,
    )


def page_words(
    number: int,
    width: float,
    height: float,
    words: WordTable,
    rulings: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    cover: float,
    ink: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None,
) -> PageWords:
    """The stored value of a page."""
    return PageWords(
        number=number,
        width=width,
        height=height,
        texts=words.texts,
        boxes=words.boxes.astype(np.float32),
        font_names=words.font_names,
        fonts=words.fonts.astype(np.uint16),
        sizes=words.sizes.astype(np.float32),
        sources=words.sources,
        confidences=words.confidences.astype(np.float32),
        rulings=rulings.astype(np.float32),
        image_cover=cover,
        ink=ink,
    )


def _of_plumber(found: fallback.PlumberWords) -> WordTable:
    return table(
        found.texts,
        found.frame.display(found.boxes),
        WordSource.TEXT,
        sizes=found.sizes,
        fonts=found.fonts,
        font_names=found.font_names,
    )


class _PageReader:
    """One page being read; collects its warnings and the tools it took."""

    def __init__(
        self, data: bytes, number: int, page: PdfPage, languages: str, limits: Limits
    ) -> None:
        self._data = data
        self._number = number
        self._page = page
        self._frame: Frame = page.frame
        self._languages = languages
        self._limits = limits
        self._warnings: list[Warned] = []
        self._tools: list[str] = []
        self._needs_ocr = False

    def read(self, draw: bool) -> PageRead:
        frame, limits = self._frame, self._limits
        objects = self._page.objects()
        cover = image_cover(objects, frame)
        picture = self._render() if draw else None
        grey = picture.convert("L") if picture else None
        ink = ink_of(grey, frame.width, frame.height) if grey else None
        with self._page.text() as layer:
            kind = kind_of(
                Evidence(
                    chars=layer.char_count,
                    text_objects=objects.text_objects,
                    invisible_text_objects=objects.invisible_text_objects,
                    image_cover=cover,
                    map_error_share=layer.map_error_share,
                    ink=float(ink.mean()) / 255 if ink is not None else 0.0,
                )
            )
            words = self._of_layer(layer, kind, grey)
        scanned = None
        if kind is PageKind.LOST:
            words = self._by_fallback(words, layer.char_count)
        elif kind in (PageKind.SCAN, PageKind.DRAWN_TEXT, PageKind.BROKEN_MAP):
            scanned = self._by_ocr(kind)
        if scanned is not None:
            return self._scan_page(scanned, words, objects, cover, kind)
        words = self._with_fields(words)
        if len(words) > limits.page_words:
            self._warn(
                "too_many_words",
                f"has {len(words)} words; the first {limits.page_words} were kept.",
            )
            words = words.take(np.arange(limits.page_words))
        image = (
            encode(self._number, picture, photo=cover > 0.5)
            if picture
            else blank(self._number, frame.width, frame.height, limits.page_pixels)
        )
        return PageRead(
            words=page_words(
                self._number,
                frame.width,
                frame.height,
                words,
                displayed_rulings(objects, frame),
                cover,
                ink,
            ),
            image=image,
            warnings=tuple(self._warnings),
            needs_ocr=self._needs_ocr,
            tools=tuple(self._tools),
        )

    def _render(self) -> Image.Image:
        frame = self._frame
        return self._page.render(dots_for(frame.width, frame.height, DPI, self._limits.page_pixels))

    def _of_layer(self, layer: TextLayer, kind: PageKind, grey: Image.Image | None) -> WordTable:
        frame = self._frame
        source = WordSource.OCR_LAYER if kind is PageKind.OCR_LAYER else WordSource.TEXT
        words, outside = on_page(from_text_layer(layer, frame, source), frame.width, frame.height)
        if outside:
            self._warn("words_outside", f"has {outside} words outside its visible part; left out.")
        if grey is None or source is not WordSource.TEXT or not len(words):
            return words
        shown = drawn_words(grey, frame.width, frame.height, words.boxes)
        if shown.all():
            return words
        # A font the file does not carry and this machine does not have draws nothing: no reason to hide text.
        foreign = np.array([any(c > _LATIN_END for c in text) for text in words.texts])
        shown |= foreign
        hidden = len(words) - int(shown.sum())
        if hidden:
            self._warn("hidden_words", f"has {hidden} words that cannot be seen on it; left out.")
        return words.take(shown)

    def _by_fallback(self, words: WordTable, chars: int) -> WordTable:
        try:
            found = fallback.read_words(self._data, self._number)
        except fallback.FallbackFailed:
            found = None
        if found is None or found.char_count <= chars:
            self._warn("text_lost", "seems to hold more text than could be read.")
            return words
        self._tools.append(fallback.name())
        frame = self._frame
        return on_page(_of_plumber(replace(found, frame=frame)), frame.width, frame.height)[0]

    def _by_ocr(self, kind: PageKind) -> Scanned | None:
        frame = self._frame
        dpi = dots_for(frame.width, frame.height, 300, self._limits.page_pixels)
        scanned = read_scan(
            lambda: self._page.render(dpi, grey=True), dpi, self._languages, self._limits
        )
        for code, message in scanned.problems:
            self._warn(code, message)
        if scanned.needs_ocr:
            self._needs_ocr = True
            return None
        if kind is PageKind.DRAWN_TEXT and not len(scanned.words):
            return None
        self._tools.extend(scanned.tools)
        return scanned

    def _with_fields(self, words: WordTable) -> WordTable:
        fields = self._page.fields()
        if fields is None or not fields.texts:
            return words
        frame = self._frame
        values = table(fields.texts, frame.display(fields.boxes), WordSource.FIELD)
        return merged(words, on_page(values, frame.width, frame.height)[0])

    def _scan_page(
        self,
        scanned: Scanned,
        words: WordTable,
        objects: PageObjects,
        cover: float,
        kind: PageKind,
    ) -> PageRead:
        """A page read by OCR; it is turned upright, with all that is on it."""
        turns = scanned.quarter_turns
        frame = replace(self._frame, quarter_turns=(self._frame.quarter_turns + turns) % 4)
        picture = self._render()
        upright = turned(picture, turns)
        fields = self._page.fields()
        found = scanned.words
        if fields is not None and fields.texts:
            values = table(fields.texts, frame.display(fields.boxes), WordSource.FIELD)
            found = merged(found, on_page(values, frame.width, frame.height)[0])
        if turns:
            self._warn(
                "turned", f"lay on its side or upside down; it is shown turned by {turns * 90}°."
            )
        return PageRead(
            words=page_words(
                self._number,
                frame.width,
                frame.height,
                found,
                displayed_rulings(objects, frame),
                cover,
                ink_of(upright.convert("L"), frame.width, frame.height),
            ),
            image=encode(self._number, upright, photo=kind is PageKind.SCAN),
            warnings=tuple(self._warnings),
            tools=tuple(self._tools),
        )

    def _warn(self, code: str, what: str) -> None:
        self._warnings.append(Warned(code, self._number, f"Page {self._number + 1} {what}"))
