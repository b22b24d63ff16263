"""The pages of a PDF file, read one at a time with pdfium."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pypdfium2.raw as raw
from PIL import Image
from pypdfium2.version import PDFIUM_INFO, PYPDFIUM_INFO

from ml_backend.reading import memory, pdfium
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.forms import FieldValues, read_fields, xfa_values
from ml_backend.reading.frame import Frame
from ml_backend.reading.page_image import from_bgrx
from ml_backend.reading.page_objects import PageObjects, read_objects
from ml_backend.reading.text_layer import TextLayer, map_error_share, read_text_layer


class PdfRefused(Exception):
    """pdfium cannot make sense of the file."""


def reader_name() -> str:
    """The reader as the record names it."""
    return f"pdfium {PDFIUM_INFO.build} (pypdfium2 {PYPDFIUM_INFO.version})"


PAGES_AT_ONCE = 50
"""After so many pages a document is closed and opened again: pdfium keeps whatever it parsed until then."""
_LOCKED = (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)


class PdfPages:
    """An open PDF. Not thread safe, as pdfium is not."""

    def __init__(self, data: bytes, *, forms: bool = True) -> None:
        """Without ``forms``, field values are neither read nor drawn. Raises DocumentError if a password is needed, PdfRefused if it is no PDF to pdfium."""
        self._data = data  # pdfium reads from these bytes as long as the document is open
        self._forms = forms
        self._open()

    def _open(self) -> None:
        self._loaded = 0
        self._form: Any = None
        self._document = pdfium.load_document(self._data, len(self._data), 0)
        if not self._document:
            if raw.FPDF_GetLastError() in _LOCKED:
                raise DocumentError(
                    "encrypted",
                    "The file is protected by a password; save a copy without one and upload that.",
                )
            raise PdfRefused("pdfium finds no document in the file")
        if self._forms and pdfium.get_form_type(self._document) != raw.FORMTYPE_NONE:
            # Before any page is loaded, or pdfium does not draw the fields' values.
            self._form_info = raw.FPDF_FORMFILLINFO(version=2)
            self._form = raw.FPDFDOC_InitFormFillEnvironment(
                _document_handle(self._document), self._form_info
            )
        if self._form:
            raw.FPDF_SetFormFieldHighlightAlpha(self._form, 0)

    def __len__(self) -> int:
        return max(0, int(pdfium.count_pages(self._document)))

    def xfa_values(self) -> int | None:
        """Values in the XFA form of the document; None if it has none."""
        return xfa_values(_document_handle(self._document))

    def close(self) -> None:
        if self._form:
            raw.FPDFDOC_ExitFormFillEnvironment(self._form)
        pdfium.close_document(self._document)

    def size(self, number: int) -> tuple[float, float] | None:
        """A page's size as displayed, in points, without loading it; None if there is no such page."""
        size = raw.FS_SIZEF()
        if not raw.FPDF_GetPageSizeByIndexF(
            _document_handle(self._document), number, ctypes.byref(size)
        ):
            return None
        return size.width, size.height

    def page(self, number: int) -> _WhileOpen:
        """Page ``number`` while a ``with`` block lasts, one page at a time; None if pdfium cannot load it."""
        if self._loaded >= PAGES_AT_ONCE:
            self.close()
            memory.give_back()
            self._open()
        self._loaded += 1
        return _WhileOpen(self._document, self._form, number)


class _WhileOpen:
    """Loads a page on the way into a ``with`` block and closes it on the way out."""

    def __init__(self, document: int, form: Any, number: int) -> None:
        self._document = document
        self._form = form
        self._number = number

    def __enter__(self) -> PdfPage | None:
        self._page = page = pdfium.load_page(self._document, self._number)
        if not page:
            return None
        if self._form:
            raw.FORM_OnAfterLoadPage(_handle(page), self._form)
        self._turns = turns = max(pdfium.get_rotation(page), 0)
        return PdfPage(page, self._form, turns)

    def __exit__(self, *_: object) -> None:
        page = self._page
        if not page:
            return
        if self._turns:
            # Turning a page back changes the open document: whoever loads it next must find it as it was.
            pdfium.set_rotation(page, self._turns)
        if self._form:
            raw.FORM_OnBeforeClosePage(_handle(page), self._form)
        pdfium.close_page(page)


def _document_handle(document: int) -> Any:
    """A document as pypdfium2's own functions take it."""
    return ctypes.cast(document, raw.FPDF_DOCUMENT)


def _handle(page: int) -> Any:
    """A page as pypdfium2's own functions take it."""
    return ctypes.cast(page, raw.FPDF_PAGE)


_BOX = np.zeros(4, np.float32)
_BOX_ADDRESS = _BOX.ctypes.data


class PdfPage:
    """An open page, turned back to 0 degrees: pdfium's text engine shreds turned pages."""

    def __init__(self, page: int, form: Any, turns: int) -> None:
        self._page = page
        self._form = form
        if turns:
            pdfium.set_rotation(page, 0)
        known = pdfium.get_bounding_box(page, _BOX_ADDRESS)
        left, top, right, bottom = _BOX.tolist() if known else (0.0, 0.0, 0.0, 0.0)
        self.frame = Frame(left, bottom, right, top, turns)

    def text(self) -> TextLayer:
        """The words of the text layer."""
        text_page = pdfium.load_text_page(self._page)
        try:
            return read_text_layer(text_page)
        finally:
            pdfium.close_text_page(text_page)

    def judged_text(self) -> tuple[TextLayer, float]:
        """The words, and the share of their characters that have no Unicode value."""
        text_page = pdfium.load_text_page(self._page)
        try:
            layer = read_text_layer(text_page)
            return layer, map_error_share(text_page, layer)
        finally:
            pdfium.close_text_page(text_page)

    def objects(self) -> PageObjects:
        return read_objects(self._page)

    def fields(self) -> FieldValues | None:
        """Values of form fields; None if the document has no form."""
        return read_fields(self._form, _handle(self._page)) if self._form else None

    def render(self, dpi: float, *, grey: bool = False) -> Image.Image:
        """The page as displayed, annotations and form fields included; grey as asked, or if it has no colour."""
        frame = self.frame
        size = (
            max(1, round(frame.width * dpi / 72)),
            max(1, round(frame.height * dpi / 72)),
        )
        kind, depth = (raw.FPDFBitmap_Gray, 1) if grey else (raw.FPDFBitmap_BGRx, 4)
        stride = (size[0] * depth + 3) & ~3
        pixels = bytearray(stride * size[1])
        shared = (ctypes.c_char * len(pixels)).from_buffer(pixels)
        bitmap = raw.FPDFBitmap_CreateEx(size[0], size[1], kind, shared, stride)
        if not bitmap:
            raise MemoryError
        page = _handle(self._page)
        try:
            raw.FPDFBitmap_FillRect(bitmap, 0, 0, size[0], size[1], 0xFFFFFFFF)
            place = (0, 0, size[0], size[1], frame.quarter_turns % 4, raw.FPDF_ANNOT)
            raw.FPDF_RenderPageBitmap(bitmap, page, *place)
            if self._form:
                raw.FPDF_FFLDraw(self._form, bitmap, page, *place)
        finally:
            raw.FPDFBitmap_Destroy(bitmap)
        if grey:
            return Image.frombuffer("L", size, pixels, "raw", "L", stride, 1)
        return from_bgrx(pixels, size)
