"""The words of a PDF page's text layer, with few calls per word.

pdfium gives a page's characters in content order, blanks and line ends included, as one string. Its blanks
cut that string into words. A word costs the boxes of its first and last character and one text object; only
a word that does not lie flat, or is wider than its letters, is looked at character by character.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ml_backend.reading import pdfium

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Codes: TypeAlias = NDArray[np.uint16] | NDArray[np.uint32]

HYPHEN, HYPHEN_AS_CHAR = 0xFFFE, 0x02
"""How pdfium marks a hyphen at a line's end: in a page's text, and as a single character."""
WORD_GAP = 0.35
"""Two characters further apart than this share of their size are in two words, whatever pdfium says."""
WIDEST_LETTER = 1.2
"""Mean width of a word's characters, as a share of their height, above which there may be gaps between them."""
_LOWEST = ctypes.c_float(-0.4).value
"""The lowest descender, in font sizes, that is believed."""
_LEVEL = 0.6
"""By how much of its size, top and bottom together, a word's last character may stand off its first one's line."""
SAMPLE = 64
"""So many characters tell whether a page's Unicode map is broken."""


def _solid_table() -> NDArray[np.bool_]:
    """For every code of 16 bits: is it part of a word?"""
    table = np.ones(65536, np.bool_)
    table[0x00:0x21] = False
    table[0x7F:0xA1] = False
    table[0x2000:0x200C] = False
    table[[0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF, 0xFFFF]] = False
    return table


_SOLID = _solid_table()


_NO_WORDS: Ints = np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True)
class TextLayer:
    """Words in content order; boxes (n, 4) left, bottom, right, top in the page's own coordinates."""

    texts: list[str]
    boxes: Floats
    sizes: NDArray[np.floating[Any]]
    fonts: NDArray[np.uint16]
    font_names: tuple[str, ...]
    places: list[int]
    """Index of each word's first character in the text page."""

    @property
    def char_count(self) -> int:
        """Characters that are no blanks."""
        return sum(map(len, self.texts))


_NOTHING = TextLayer([], np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.uint16), (), [])


def read_text_layer(text_page: int) -> TextLayer:
    """The words of an open pdfium text page, whose page must be unturned (``FPDFPage_SetRotation(page, 0)``)."""
    codes, text = _characters(text_page)
    edges = _edges(codes, text)
    if not edges.size:
        return _NOTHING
    text = text.replace(chr(HYPHEN), "-")
    places = edges[::2].tolist()
    boxes, heights, odd, plumb = _boxes(text_page, edges, places)
    fonts, metrics = _fonts(text_page, places, heights)
    sizes: NDArray[np.floating[Any]] = _to_font_sizes(boxes, heights, plumb, fonts, metrics)
    if odd.size:
        edges, boxes, sizes, fonts = _look_closely(text_page, edges, boxes, sizes, fonts, odd)
        places = edges[::2].tolist()
    texts = [text[a:b] for a, b in zip(places, edges[1::2].tolist(), strict=True)]
    return TextLayer(
        texts if codes.itemsize == _UNIT else list(map(_paired, texts)),
        boxes,
        sizes,
        fonts,
        tuple(pdfium.font_names(font.handle for font in metrics)),
        places,
    )


def _to_font_sizes(
    boxes: Floats,
    heights: NDArray[np.floating[Any]],
    plumb: NDArray[np.bool_] | None,
    fonts: NDArray[np.uint16],
    metrics: list[_Font],
) -> Floats:
    """The words' font sizes; boxes of level words are cut to them in place, where their font allows it."""
    if len(metrics) == 1:
        sizes: Floats = np.multiply(heights, metrics[0].size_by_height, dtype=np.float64)
        if not metrics[0].trim:
            return sizes
        cut = None
    else:
        factors = np.array([font.size_by_height for font in metrics])
        sizes = np.multiply(heights, factors.take(fonts), dtype=np.float64)
        trim = [font.trim for font in metrics]
        cut = None if all(trim) else np.array(trim).take(fonts)
    if plumb is not None:
        cut = ~plumb if cut is None else cut & ~plumb
    upper = boxes[:, 3]
    if cut is None:
        np.minimum(upper, boxes[:, 1] + sizes, out=upper)
    else:
        np.minimum(upper, boxes[:, 1] + sizes, out=upper, where=cut)
    return sizes


def map_error_share(text_page: int, layer: TextLayer) -> float:
    """Share of the characters whose code has no Unicode value, 0..1, from a sample of the words' first ones."""
    sample = layer.places[:: max(1, len(layer.places) // SAMPLE)][:SAMPLE]
    if not sample:
        return 0.0
    errors = pdfium.map_errors(text_page, sample)
    return sum(1 for error in errors if error > 0) / len(sample)


_UNIT = 2
"""Bytes of a code point that came in the page's string; those that were asked for one by one have more."""
_CODES = np.zeros(64 * 1024, np.uint16)
_CODES_ADDRESS = _CODES[1:].ctypes.data
"""Behind a blank, room for the characters of all but the longest pages, two units for each and a zero."""


def _characters(text_page: int) -> tuple[Codes, str]:
    """The page's characters as code points between two blanks (zeros), and as a string without these.

    The code points are overwritten by the next page's.
    """
    count = pdfium.count_chars(text_page)
    if count <= 0:
        return _CODES[:0], ""
    room, address = _CODES, _CODES_ADDRESS
    if 2 * count + 2 > room.size:
        room = np.zeros(2 * count + 2, np.uint16)
        address = room[1:].ctypes.data
    codes = room[: count + 2]
    # The last unit that pdfium writes is a zero.
    if pdfium.get_text(text_page, 0, count, address) == count + 1:
        try:
            text = codes[1:-1].tobytes().decode("utf-16-le")
        except UnicodeDecodeError:
            text = ""
        if len(text) == count:
            return codes, text
    # The string leaves out characters without a value and writes two units for rare ones; then its places
    # are not the characters' places, and each is asked for.
    padded = np.zeros(count + 2, np.uint32)
    wide = padded[1:-1]
    wide[:] = np.fromiter(
        map(pdfium.get_unicode, repeat(text_page), range(count)), np.uint32, count
    )
    wide[wide == HYPHEN_AS_CHAR] = HYPHEN
    wide[wide > 0x10FFFF] = 0xFFFD
    return padded, wide.tobytes().decode("utf-32-le", "surrogatepass")


def _paired(text: str) -> str:
    """A word whose rare letters pdfium gave as two halves each."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _edges(codes: Codes, text: str) -> Ints:
    """Where words begin and, behind their last character, end: begin, end, begin, end …"""
    if codes.itemsize == _UNIT:
        solid = _SOLID.take(codes)
    else:
        solid = _SOLID.take(np.minimum(codes, 0xFFFD)) | (codes == HYPHEN)
    edges: Ints = (solid[1:] != solid[:-1]).nonzero()[0]
    if chr(HYPHEN) in text:
        # The word goes on in the next line, without a blank between: its parts are two words on the page.
        cuts = np.flatnonzero(codes[1:-1] == HYPHEN) + 1
        cuts = cuts[solid[cuts + 1]]
        edges = np.sort(np.concatenate([edges, cuts, cuts]), kind="stable")
    return edges


def _boxes(
    text_page: int, edges: Ints, places: list[int]
) -> tuple[Floats, NDArray[np.floating[Any]], Ints, NDArray[np.bool_] | None]:
    """Boxes by first and last character; how high their lines are; odd words; and which run up or down, if any.

    ``places`` are those of the words' first characters.
    """
    ends = edges[1::2]
    counts = ends - edges[::2]
    both = pdfium.loose_boxes(text_page, places + (ends - 1).tolist())
    head, tail = both[: counts.size], both[counts.size :]
    low, high = np.minimum(head, tail), np.maximum(head, tail)
    boxes = np.empty(head.shape, np.float64)
    boxes[:, :2] = low[:, ::3]
    boxes[:, 2:] = high[:, 2:0:-1]
    off = high - low
    tall = head[:, 1] - head[:, 3]
    odd = high[:, 2] - low[:, 0] > WIDEST_LETTER * counts * tall
    if not np.count_nonzero(off[:, 1::2]) and not np.count_nonzero(odd):
        # Most pages: every word ends exactly on the line it begins on.
        return boxes, tall, _NO_WORDS, None
    uneven = off[:, 1] + off[:, 3] > _LEVEL * tall
    if not np.count_nonzero(uneven):
        return boxes, tall, odd.nonzero()[0], None
    wide = head[:, 2] - head[:, 0]
    plumb = uneven & (off[:, 0] + off[:, 2] <= _LEVEL * wide)
    # A single character says nothing about its line; the other words of the page do.
    if 2 * np.count_nonzero(plumb) > np.count_nonzero(counts > 1):
        plumb |= counts == 1
    gappy = boxes[:, 3] - boxes[:, 1] > WIDEST_LETTER * counts * wide
    odd = np.where(plumb, gappy, odd | uneven)
    return boxes, np.where(plumb, wide, tall), np.flatnonzero(odd), plumb


def _look_closely(
    text_page: int,
    edges: Ints,
    boxes: Floats,
    sizes: NDArray[np.floating[Any]],
    fonts: NDArray[np.uint16],
    odd: Ints,
) -> tuple[Ints, Floats, NDArray[np.floating[Any]], NDArray[np.uint16]]:
    """Odd words from all their characters: their boxes, and where they are two words after all."""
    begins, ends = edges[::2], edges[1::2]
    lengths = (ends - begins)[odd]
    owner = np.repeat(np.arange(odd.size), lengths)
    firsts = np.cumsum(lengths) - lengths
    places = np.arange(owner.size) + (begins[odd] - firsts)[owner]
    chars = pdfium.loose_boxes(text_page, places.tolist()).astype(np.float64)[:, [0, 3, 2, 1]]
    parts = np.flatnonzero(
        np.concatenate([[True], (owner[1:] != owner[:-1]) | _apart(chars[:-1], chars[1:])])
    )
    behind = np.concatenate([parts[1:], [owner.size]])
    found = np.concatenate(
        [
            np.minimum.reduceat(chars[:, :2], parts, axis=0),
            np.maximum.reduceat(chars[:, 2:], parts, axis=0),
        ],
        axis=1,
    )
    found_sizes = [
        _size_at(text_page, place) or height
        for place, height in zip(
            places[parts].tolist(), (chars[parts, 3] - chars[parts, 1]).tolist(), strict=True
        )
    ]
    keep = np.ones(begins.size, np.bool_)
    keep[odd] = False
    begins = np.concatenate([begins[keep], places[parts]])
    order = np.argsort(begins)
    edges = np.column_stack([begins, np.concatenate([ends[keep], places[behind - 1] + 1])])
    return (
        edges[order].ravel(),
        np.concatenate([boxes[keep], found])[order],
        np.concatenate([sizes[keep], found_sizes])[order],
        np.concatenate([fonts[keep], fonts[odd][owner[parts]]])[order],
    )


def _apart(before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Is there too much room between neighbouring characters for one word?"""
    gap = np.maximum(after[:, :2] - before[:, 2:], before[:, :2] - after[:, 2:]).max(axis=1)
    size = np.minimum(
        (before[:, 2:] - before[:, :2]).max(axis=1), (after[:, 2:] - after[:, :2]).max(axis=1)
    )
    found: NDArray[np.bool_] = gap > WORD_GAP * np.maximum(size, 1.0)
    return found


_MATRIX = (ctypes.c_float * 6)()
_MATRIX_ADDRESS = ctypes.addressof(_MATRIX)
_DESCENT = ctypes.c_float()
_DESCENT_ADDRESS = ctypes.addressof(_DESCENT)


def _size_at(text_page: int, place: int) -> float:
    """Font size of a character on any line: the size in the content times the text matrix."""
    if not pdfium.get_char_matrix(text_page, place, _MATRIX_ADDRESS):
        return 0.0
    size: float = pdfium.get_char_size(text_page, place)
    return size * math.hypot(_MATRIX[2], _MATRIX[3])


class _Font(NamedTuple):
    """What a font says about the boxes of its characters."""

    handle: int
    size_by_height: float
    """Font size of a box of height 1: boxes reach from the font's lowest to its highest point."""
    trim: bool
    """Are boxes to be cut to the font size, above the descender? Not where the font's own measures are odd."""


def _fonts(
    text_page: int, places: list[int], heights: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.uint16], list[_Font]]:
    """The font of each word's first character, as indices into the page's fonts."""
    objects = pdfium.text_objects(text_page, places)
    distinct = list(dict.fromkeys(objects))
    handles = pdfium.fonts_of(distinct)
    fonts: list[_Font] = []
    for handle in dict.fromkeys(handles):
        at = objects.index(distinct[handles.index(handle)])
        fonts.append(_measured(text_page, handle, places[at], float(heights[at])))
    if len(fonts) == 1:
        return np.zeros(len(objects), np.uint16), fonts
    numbers = {font.handle: number for number, font in enumerate(fonts)}
    of_object = dict(zip(distinct, map(numbers.__getitem__, handles), strict=True))
    found = map(of_object.__getitem__, objects)
    return np.fromiter(found, np.uint16, len(objects)), fonts


def _measured(text_page: int, handle: int, place: int, height: float) -> _Font:
    size = _size_at(text_page, place)
    if not handle or size <= 0 or height <= 0:
        return _Font(handle, 1.0, False)
    known = pdfium.get_descent(handle, 1.0, _DESCENT_ADDRESS)
    return _Font(handle, size / height, bool(known) and _LOWEST <= _DESCENT.value <= 0)
