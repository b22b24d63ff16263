"""The functions of libpdfium that are called for every page and word, as cheap as Python can call them.

pypdfium2 ships the library and its bindings. A call through those converts every argument and releases the
GIL; here the same addresses are bound with plain integers and the GIL kept, so that ``map`` drives them at
half the cost. The few that are called for every word take arguments that were converted beforehand, once per
page or once per process: a third of the cost again. pdfium is not thread safe: one thread per process.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat, starmap
from typing import Any

import numpy as np
import pypdfium2.raw as raw
from numpy.typing import NDArray

_INT, _POINTER, _DOUBLE = ctypes.c_int, ctypes.c_size_t, ctypes.c_double

Function = Callable[..., Any]


def address_of(handle: Any) -> int:
    """The plain integer of a pypdfium2 handle or function; 0 for none."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _bind(name: str, result: Any, *arguments: Any) -> Function:
    function: Function = ctypes.PYFUNCTYPE(result, *arguments)(address_of(getattr(raw, name)))
    return function


def _bind_converted(name: str, result: Any) -> Function:
    """A function whose arguments nobody converts or checks: pointers must come from ``converted``."""
    function: Function = ctypes.PYFUNCTYPE(result)(address_of(getattr(raw, name)))
    return function


converted: Callable[[int], Any] = ctypes.c_void_p.from_param
"""An address as an argument of the functions below that are bound without argument types."""

load_document = _bind("FPDF_LoadMemDocument64", _POINTER, ctypes.c_char_p, _POINTER, _POINTER)
close_document = _bind("FPDF_CloseDocument", None, _POINTER)
count_pages = _bind("FPDF_GetPageCount", _INT, _POINTER)
get_form_type = _bind("FPDF_GetFormType", _INT, _POINTER)
load_page = _bind("FPDF_LoadPage", _POINTER, _POINTER, _INT)
close_page = _bind("FPDF_ClosePage", None, _POINTER)
get_rotation = _bind("FPDFPage_GetRotation", _INT, _POINTER)
set_rotation = _bind("FPDFPage_SetRotation", None, _POINTER, _INT)
get_bounding_box = _bind("FPDF_GetPageBoundingBox", _INT, _POINTER, _POINTER)
load_text_page = _bind("FPDFText_LoadPage", _POINTER, _POINTER)
close_text_page = _bind("FPDFText_ClosePage", None, _POINTER)

_text_object = _bind_converted("FPDFText_GetTextObject", _POINTER)
_loose_box = _bind_converted("FPDFText_GetLooseCharBox", None)
_font = _bind_converted("FPDFTextObj_GetFont", _POINTER)
_map_error = _bind_converted("FPDFText_HasUnicodeMapError", _INT)

count_chars = _bind("FPDFText_CountChars", _INT, _POINTER)
get_text = _bind("FPDFText_GetText", _INT, _POINTER, _INT, _INT, _POINTER)
get_unicode = _bind("FPDFText_GetUnicode", ctypes.c_uint, _POINTER, _INT)
get_char_size = _bind("FPDFText_GetFontSize", _DOUBLE, _POINTER, _INT)
get_char_matrix = _bind("FPDFText_GetMatrix", _INT, _POINTER, _INT, _POINTER)

get_render_mode = _bind("FPDFTextObj_GetTextRenderMode", _INT, _POINTER)
get_font_name = _bind("FPDFFont_GetBaseFontName", _POINTER, _POINTER, _POINTER, _POINTER)
get_descent = _bind("FPDFFont_GetDescent", _INT, _POINTER, ctypes.c_float, _POINTER)

count_objects = _bind("FPDFPage_CountObjects", _INT, _POINTER)
get_object = _bind("FPDFPage_GetObject", _POINTER, _POINTER, _INT)
count_form_objects = _bind("FPDFFormObj_CountObjects", _INT, _POINTER)
get_form_object = _bind("FPDFFormObj_GetObject", _POINTER, _POINTER, ctypes.c_ulong)
get_object_type = _bind("FPDFPageObj_GetType", _INT, _POINTER)
get_object_bounds = _bind(
    "FPDFPageObj_GetBounds", _INT, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER
)
get_object_matrix = _bind("FPDFPageObj_GetMatrix", _INT, _POINTER, _POINTER)
count_segments = _bind("FPDFPath_CountSegments", _INT, _POINTER)
get_segment = _bind("FPDFPath_GetPathSegment", _POINTER, _POINTER, _INT)
get_segment_point = _bind("FPDFPathSegment_GetPoint", _INT, _POINTER, _POINTER, _POINTER)
get_segment_type = _bind("FPDFPathSegment_GetType", _INT, _POINTER)


def consume(calls: Iterator[Any]) -> None:
    """Make the calls of a ``map``; their results are in the buffers they were given."""
    deque(calls, maxlen=0)


def _each(function: Function, *arguments: Iterable[Any]) -> Iterator[Any]:
    """``map``, a sixth cheaper: ``zip`` hands over the same tuple again and again where ``map`` makes new ones."""
    return starmap(function, zip(*arguments, strict=False))


def addresses(array: NDArray[Any]) -> range:
    """The address of each row of a C-contiguous array."""
    row = array.strides[0]
    return range(array.ctypes.data, array.ctypes.data + row * len(array), row)


_ROWS = np.zeros((2048, 4), np.float32)
_ROW_POINTERS = [converted(address) for address in addresses(_ROWS)]


def loose_boxes(text_page: int, places: list[int]) -> NDArray[np.float32]:
    """Left, top, right, bottom of characters: their advance by the height of their font; zeros if not known.

    Of few characters they are overwritten by the next call's.
    """
    if len(places) <= len(_ROWS):
        return _some_loose_boxes(text_page, places)
    boxes = np.empty((len(places), 4), np.float32)
    for start in range(0, len(places), len(_ROWS)):
        some = places[start : start + len(_ROWS)]
        boxes[start : start + len(some)] = _some_loose_boxes(text_page, some)
    return boxes


def _some_loose_boxes(text_page: int, places: list[int]) -> NDArray[np.float32]:
    rows = _ROWS[: len(places)]
    rows.fill(0)
    consume(_each(_loose_box, repeat(converted(text_page)), places, _ROW_POINTERS))
    return rows


def text_objects(text_page: int, places: list[int]) -> list[int]:
    """The text object of each character; 0 for one that is in none."""
    return list(_each(_text_object, repeat(converted(text_page)), places))


def fonts_of(objects: list[int]) -> list[int]:
    """The font of each text object; 0 for none."""
    return list(_each(_font, map(converted, objects)))


def map_errors(text_page: int, places: list[int]) -> list[int]:
    """For each character: 1 if its code has no Unicode value, 0 if it has one, -1 if that is not known."""
    return list(_each(_map_error, repeat(converted(text_page)), places))


_LONGEST_NAME = 256
_NAME = ctypes.create_string_buffer(_LONGEST_NAME)
_NAME_ADDRESS = ctypes.addressof(_NAME)


def font_names(fonts: Iterable[int]) -> list[str]:
    """Base font names without the subset prefix (``ABCDEF+``)."""
    names = []
    for font in fonts:
        size = get_font_name(font, _NAME_ADDRESS, _LONGEST_NAME) if font else 0
        name = _NAME.value.decode("utf-8", "replace") if 0 < size <= _LONGEST_NAME else ""
        names.append(name[7:] if len(name) > 7 and name[6] == "+" else name)
    return names
