"""Values of a PDF's form fields: they are in no text layer, only pdfium's form interface gives them."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pypdfium2.raw as raw
from numpy.typing import NDArray

CHECKED, UNCHECKED = "☒", "☐"
_MARKS = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
_VALUES = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)
_HIDDEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_INVISIBLE | raw.FPDF_ANNOT_FLAG_NOVIEW
MAX_WIDGETS = 5_000


@dataclass(frozen=True, slots=True)
class FieldValues:
    """One text per visible, filled widget; boxes (n, 4) in the page's own coordinates."""

    texts: list[str]
    boxes: NDArray[np.float64]


def read_fields(form: Any, page: Any) -> FieldValues:
    """The values of the widgets of an open page; ``form`` is pdfium's form environment."""
    texts: list[str] = []
    boxes: list[tuple[float, float, float, float]] = []
    rect = raw.FS_RECTF()
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), MAX_WIDGETS)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            if raw.FPDFAnnot_GetSubtype(annotation) != raw.FPDF_ANNOT_WIDGET:
                continue
            if raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
                continue
            text = _value(form, annotation)
            if text and raw.FPDFAnnot_GetRect(annotation, ctypes.byref(rect)):
                texts.append(text)
                left, right = sorted((rect.left, rect.right))
                bottom, top = sorted((rect.bottom, rect.top))
                boxes.append((left, bottom, right, top))
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    return FieldValues(texts, np.array(boxes, np.float64).reshape(-1, 4))


def _value(form: Any, annotation: Any) -> str:
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _MARKS:
        return CHECKED if raw.FPDFAnnot_IsChecked(form, annotation) else UNCHECKED
    if kind not in _VALUES:
        return ""
    size = raw.FPDFAnnot_GetFormFieldValue(form, annotation, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFAnnot_GetFormFieldValue(
        form, annotation, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size
    )
    return " ".join(buffer.raw[: size - 2].decode("utf-16-le", "replace").split())


_FILLED = re.compile(rb">[^<>\s][^<>]*</")


def xfa_values(document: Any) -> int | None:
    """How many values the XFA data of a document holds; None if it has no XFA form.

    They have no place on a page, so they become no words; but the document says that they exist.
    """
    count = raw.FPDF_GetXFAPacketCount(document)
    if count <= 0:
        return None
    values = 0
    for index in range(min(count, 64)):
        if _packet_name(document, index) != "datasets":
            continue
        size = ctypes.c_ulong()
        raw.FPDF_GetXFAPacketContent(document, index, None, 0, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(max(size.value, 1))
        raw.FPDF_GetXFAPacketContent(document, index, buffer, size.value, ctypes.byref(size))
        values += len(_FILLED.findall(buffer.raw))
    return values


def _packet_name(document: Any, index: int) -> str:
    size = raw.FPDF_GetXFAPacketName(document, index, None, 0)
    buffer = ctypes.create_string_buffer(max(size, 1))
    raw.FPDF_GetXFAPacketName(document, index, buffer, size)
    return buffer.value.decode("utf-8", "replace")
