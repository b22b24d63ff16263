"""The words of a PDF page's text layer, with few calls per word.

pdfium gives a page's characters in content order, blanks and line ends included, as one string. Its blanks
cut that string into tokens. A token costs two boxes (first and last character) and one or two text objects;
only a token that crosses text objects, or that does not lie flat, is looked at character by character.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from ml_backend.reading import pdfium

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

HYPHEN_IN_TEXT, HYPHEN_AS_CHAR = 0xFFFE, 0x02
"""How pdfium marks a hyphen at a line's end: in a page's text, and as a single character."""
WORD_GAP = 0.35
"""Two characters further apart than this share of their size are in two words, whatever pdfium says."""
SAMPLE = 64
"""So many characters tell whether a page's Unicode map is broken."""


def _blank_table() -> NDArray[np.bool_]:
    table = np.zeros(65536, np.bool_)
    table[0x00:0x21] = True
    table[0x7F:0xA1] = True
    table[0x2000:0x200C] = True
    table[[0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF, 0xFFFF]] = True
    return table


_BLANK = _blank_table()


@dataclass(frozen=True, slots=True)
class TextLayer:
    """Words in content order; boxes (n, 4) left, bottom, right, top in the page's own coordinates."""

    texts: list[str]
    boxes: Floats
    sizes: Floats
    fonts: NDArray[np.uint16]
    font_names: tuple[str, ...]
    objects: NDArray[np.uint64]
    """Address of the text object of each word's first character; valid while the page is open."""
    font_handles: list[int]
    """Address of each of ``font_names``; valid while the page is open."""
    char_count: int
    """Characters that are no blanks."""
    map_error_share: float
    """Share of the characters whose code has no Unicode value, 0..1."""


def read_text_layer(text_page: int) -> TextLayer:
    """The words of an open pdfium text page, whose page must be unturned (``FPDFPage_SetRotation(page, 0)``)."""
    codes, text = _characters(text_page)
    starts, ends = _tokens(codes)
    if starts.size == 0:
        return TextLayer(
            [],
            np.zeros((0, 4)),
            np.zeros(0),
            np.zeros(0, np.uint16),
            (),
            np.zeros(0, np.uint64),
            [],
            0,
            0.0,
        )
    visible = int((ends - starts + 1).sum())
    first = _objects(text_page, starts)
    last = _last_objects(text_page, starts, ends, first)
    boxes, flat, upright = _flat_boxes(text_page, starts, ends)
    sizes = np.where(upright, boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0])
    odd = np.flatnonzero((first != last) | ~flat)
    if odd.size:
        starts, ends, boxes, sizes, moved = _look_closely(
            text_page, starts, ends, boxes, sizes, odd, flat
        )
        first = _objects(text_page, starts) if moved else first
    fonts, names, handles = _fonts(first)
    return TextLayer(
        texts=[text[a:b] for a, b in zip(starts.tolist(), (ends + 1).tolist(), strict=True)],
        boxes=boxes,
        sizes=sizes,
        fonts=fonts,
        font_names=names,
        objects=first,
        font_handles=handles,
        char_count=visible,
        map_error_share=_map_errors(text_page, starts),
    )


def _characters(text_page: int) -> tuple[NDArray[np.uint32] | NDArray[np.uint16], str]:
    """The page's characters as code points and as a string of the same length."""
    count = pdfium.count_chars(text_page)
    if count <= 0:
        return np.zeros(0, np.uint16), ""
    buffer = np.zeros(2 * count + 2, np.uint16)
    written = pdfium.get_text(text_page, 0, count, buffer.ctypes.data) - 1
    codes = buffer[: max(written, 0)]
    # The string leaves out characters without a value and writes two units for rare ones; then its places
    # are not the characters' places, and each is asked for.
    if written != count or ((codes & 0xF800) == 0xD800).any():
        wide = np.fromiter(
            map(pdfium.get_unicode, repeat(text_page), range(count)), np.uint32, count
        )
        wide[wide == HYPHEN_AS_CHAR] = HYPHEN_IN_TEXT
        wide[(wide > 0x10FFFF) | ((wide & 0xFFFFF800) == 0xD800)] = 0xFFFD
        return wide, _decoded(wide, "utf-32-le")
    return codes, _decoded(codes, "utf-16-le")


def _decoded(codes: NDArray[np.uint32] | NDArray[np.uint16], encoding: str) -> str:
    hyphens = codes == HYPHEN_IN_TEXT
    if hyphens.any():
        codes = codes.copy()
        codes[hyphens] = ord("-")
    return codes.tobytes().decode(encoding)


def _tokens(codes: NDArray[np.uint32] | NDArray[np.uint16]) -> tuple[Ints, Ints]:
    """First and last place of every run without blanks; a line-end hyphen is the last of its run."""
    blank = _BLANK[codes] if codes.dtype == np.uint16 else _BLANK[np.minimum(codes, 0xFFFD)]
    solid = ~blank
    opens = solid.copy()
    hyphens = codes == HYPHEN_IN_TEXT
    opens[1:] &= blank[:-1] | hyphens[:-1]
    closes = solid
    closes[:-1] &= blank[1:] | opens[1:]
    return np.flatnonzero(opens), np.flatnonzero(closes)


def _objects(text_page: int, places: Ints) -> NDArray[np.uint64]:
    return np.fromiter(
        map(pdfium.get_text_object, repeat(text_page), places.tolist()), np.uint64, places.size
    )


def _last_objects(
    text_page: int, starts: Ints, ends: Ints, first: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """The text object of each token's last character.

    Characters of an object follow each other: where the next token begins in the same object, this one ends in it.
    """
    last = first.copy()
    ask = ends > starts
    ask[:-1] &= first[1:] != first[:-1]
    places = np.flatnonzero(ask)
    if places.size:
        last[places] = _objects(text_page, ends[places])
    return last


def _loose_boxes(text_page: int, places: list[int]) -> NDArray[np.float32]:
    """Left, top, right, bottom of characters: their advance by the font's height."""
    boxes = np.zeros((len(places), 4), np.float32)
    pdfium.consume(map(pdfium.get_loose_box, repeat(text_page), places, pdfium.addresses(boxes)))
    return boxes


def _flat_boxes(
    text_page: int, starts: Ints, ends: Ints
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Boxes by first and last character; whether a token lies on one line; whether that line is horizontal."""
    single = starts == ends
    head = _loose_boxes(text_page, starts.tolist()).astype(np.float64)
    tail = head.copy()
    longer = np.flatnonzero(~single)
    if longer.size:
        tail[longer] = _loose_boxes(text_page, ends[longer].tolist())
    boxes = np.stack(
        [
            np.minimum(head[:, 0], tail[:, 0]),
            np.minimum(head[:, 3], tail[:, 3]),
            np.maximum(head[:, 2], tail[:, 2]),
            np.maximum(head[:, 1], tail[:, 1]),
        ],
        axis=1,
    )
    slack = 0.02 * (boxes[:, 3] - boxes[:, 1]) + 0.01
    level = (abs(head[:, 3] - tail[:, 3]) <= slack) & (abs(head[:, 1] - tail[:, 1]) <= slack)
    slack = 0.02 * (boxes[:, 2] - boxes[:, 0]) + 0.01
    plumb = (abs(head[:, 0] - tail[:, 0]) <= slack) & (abs(head[:, 2] - tail[:, 2]) <= slack)
    upright = level | ~plumb
    if single.any():
        # A single character says nothing about its line; the other tokens of the page do.
        upright[single] = (level & ~single).sum() >= (plumb & ~single).sum()
    return boxes, level | (plumb & ~single), upright


def _look_closely(
    text_page: int,
    starts: Ints,
    ends: Ints,
    boxes: Floats,
    sizes: Floats,
    odd: Ints,
    flat: NDArray[np.bool_],
) -> tuple[Ints, Ints, Floats, Floats, bool]:
    """Boxes of odd tokens from all their characters; those that are two words after all are cut."""
    begins = starts[odd]
    lengths = ends[odd] - begins + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    owner = np.repeat(np.arange(odd.size), lengths)
    places = np.arange(lengths.sum()) - offsets[owner] + begins[owner]
    chars = _loose_boxes(text_page, places.tolist()).astype(np.float64)[:, [0, 3, 2, 1]]
    cut = _cuts(chars, owner)
    heads = np.flatnonzero(np.concatenate([[True], (owner[1:] != owner[:-1]) | cut]))
    tails = np.concatenate([heads[1:], [owner.size]]) - 1
    pieces = np.column_stack(
        [
            np.minimum.reduceat(chars[:, 0], heads),
            np.minimum.reduceat(chars[:, 1], heads),
            np.maximum.reduceat(chars[:, 2], heads),
            np.maximum.reduceat(chars[:, 3], heads),
        ]
    )
    parents = owner[heads]
    high = chars[heads, 3] - chars[heads, 1]
    piece_sizes = np.where(flat[odd][parents], sizes[odd][parents], high)
    slanted = np.flatnonzero(~flat[odd][parents])
    for piece in slanted.tolist():
        piece_sizes[piece] = _size_of(text_page, int(places[heads[piece]])) or high[piece]
    keep = np.ones(starts.size, np.bool_)
    keep[odd] = False
    order = np.argsort(np.concatenate([starts[keep], places[heads]]), kind="stable")
    return (
        np.concatenate([starts[keep], places[heads]])[order],
        np.concatenate([ends[keep], places[tails]])[order],
        np.concatenate([boxes[keep], pieces])[order],
        np.concatenate([sizes[keep], piece_sizes])[order],
        bool(cut.any()),
    )


def _cuts(chars: Floats, owner: Ints) -> NDArray[np.bool_]:
    """Between which neighbouring characters of a token there is too much room for one word."""
    before, after = chars[:-1], chars[1:]
    across = np.maximum(after[:, 0] - before[:, 2], before[:, 0] - after[:, 2])
    down = np.maximum(after[:, 1] - before[:, 3], before[:, 1] - after[:, 3])
    size = np.minimum(
        np.minimum(before[:, 3] - before[:, 1], after[:, 3] - after[:, 1]),
        np.maximum(before[:, 2] - before[:, 0], after[:, 2] - after[:, 0]) * 3,
    )
    apart = np.maximum(across, down) > WORD_GAP * np.maximum(size, 1.0)
    cut: NDArray[np.bool_] = apart & (owner[1:] == owner[:-1])
    return cut


def _size_of(text_page: int, place: int) -> float:
    """Font size of a character on a slanted line: the text matrix times the size in the content."""
    matrix = np.zeros(6, np.float32)
    if not pdfium.get_char_matrix(text_page, place, matrix.ctypes.data):
        return 0.0
    size: float = pdfium.get_char_size(text_page, place)
    return size * math.hypot(matrix[2], matrix[3])


def _fonts(objects: NDArray[np.uint64]) -> tuple[NDArray[np.uint16], tuple[str, ...], list[int]]:
    """The font of each object, as indices into the names of the page's fonts."""
    begins = np.flatnonzero(np.concatenate([[True], objects[1:] != objects[:-1]]))
    lengths = np.diff(np.concatenate([begins, [objects.size]]))
    handles = list(map(pdfium.get_font, objects[begins].tolist()))
    numbers: dict[int, int] = {}
    indices = np.array([numbers.setdefault(handle, len(numbers)) for handle in handles], np.uint16)
    return np.repeat(indices, lengths), tuple(pdfium.font_names(numbers)), list(numbers)


def _map_errors(text_page: int, starts: Ints) -> float:
    """Share of characters without a Unicode value, from a sample of the words' first ones."""
    sample = starts[:: max(1, starts.size // SAMPLE)][:SAMPLE].tolist()
    errors = sum(1 for error in map(pdfium.has_map_error, repeat(text_page), sample) if error > 0)
    return errors / len(sample)
