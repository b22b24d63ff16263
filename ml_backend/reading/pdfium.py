"""The functions of libpdfium that are called for every word, as cheap as Python can call them.

pypdfium2 ships the library and its bindings. A call through those converts every argument and releases the
GIL; here the same addresses are bound with plain integers and the GIL kept, so that ``map`` drives them at
half the cost. pdfium is not thread safe: one thread per process.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

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


count_chars = _bind("FPDFText_CountChars", _INT, _POINTER)
get_text = _bind("FPDFText_GetText", _INT, _POINTER, _INT, _INT, _POINTER)
get_unicode = _bind("FPDFText_GetUnicode", ctypes.c_uint, _POINTER, _INT)
get_text_object = _bind("FPDFText_GetTextObject", _POINTER, _POINTER, _INT)
get_loose_box = _bind("FPDFText_GetLooseCharBox", _INT, _POINTER, _INT, _POINTER)
get_char_size = _bind("FPDFText_GetFontSize", _DOUBLE, _POINTER, _INT)
get_char_matrix = _bind("FPDFText_GetMatrix", _INT, _POINTER, _INT, _POINTER)
has_map_error = _bind("FPDFText_HasUnicodeMapError", _INT, _POINTER, _INT)

get_font = _bind("FPDFTextObj_GetFont", _POINTER, _POINTER)
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


def addresses(array: NDArray[Any]) -> range:
    """The address of each row of a C-contiguous array."""
    row = array.strides[0]
    return range(array.ctypes.data, array.ctypes.data + row * len(array), row)


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
