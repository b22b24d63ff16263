"""The words of a document's pages, and the form in which they are stored.

Every part of the product looks at a document through these values; only the reader ever opens a file.
Boxes are (x0, y0, x1, y1) in points, origin at the top left of the page **as displayed**: after its
rotation and its crop box, y growing downwards. Pages are 0-based.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from db.errors import RecordError

Box: TypeAlias = tuple[float, float, float, float]

INK_CELL = 2.0
"""Side of a cell of ``PageWords.ink``, in points."""


class WordSource(IntEnum):
    """Where a word was found."""

    TEXT = 0  # the file's text layer
    OCR = 1  # read from the page's image
    FIELD = 2  # the value of a form widget
    OCR_LAYER = 3  # invisible text that another program laid over a scan


class PageWords:
    """One page: its size, n words in reading order, m rulings, and where its ink is. Never changed once made.

    ``boxes`` (n, 4) points; ``fonts`` (n,) indices into ``font_names``; ``sizes`` (n,) font sizes in points;
    ``sources`` (n,) WordSource; ``confidences`` (n,) 0..1, 1 for a text layer; ``rulings`` (m, 4) thin lines
    and rectangle edges, points; ``image_cover`` the share of the page covered by images, 0..1; ``ink``
    (rows, columns) the share of dark pixels, 0..255, of each cell of INK_CELL points, None where the page
    was not rendered.
    """

    __slots__ = (
        "_ink",
        "boxes",
        "confidences",
        "font_names",
        "fonts",
        "height",
        "image_cover",
        "number",
        "rulings",
        "sizes",
        "sources",
        "texts",
        "width",
    )

    def __init__(
        self,
        number: int,
        width: float,
        height: float,
        texts: tuple[str, ...],
        boxes: NDArray[np.float32],
        font_names: tuple[str, ...],
        fonts: NDArray[np.uint16],
        sizes: NDArray[np.float32],
        sources: NDArray[np.uint8],
        confidences: NDArray[np.float32],
        rulings: NDArray[np.float32],
        image_cover: float = 0.0,
        ink: NDArray[np.uint8] | _PackedInk | None = None,
    ) -> None:
        self.number = number
        self.width = width
        self.height = height
        self.texts = texts
        self.boxes = boxes
        self.font_names = font_names
        self.fonts = fonts
        self.sizes = sizes
        self.sources = sources
        self.confidences = confidences
        self.rulings = rulings
        self.image_cover = image_cover
        self._ink = ink

    @property
    def ink(self) -> NDArray[np.uint8] | None:
        # Unfolded when first asked for: a page's ink is larger than its words, and few readers want it.
        if isinstance(self._ink, _PackedInk):
            self._ink = self._ink.unfold()
        return self._ink


class _PackedInk:
    __slots__ = ("columns", "data", "rows")

    def __init__(self, rows: int, columns: int, data: bytes) -> None:
        self.rows = rows
        self.columns = columns
        self.data = data

    def unfold(self) -> NDArray[np.uint8]:
        cells = np.frombuffer(zlib.decompress(self.data), np.uint8)
        return cells.reshape(self.rows, self.columns)


def make_page(
    number: int,
    width: float,
    height: float,
    words: Iterable[tuple[str, Box]] = (),
    *,
    font_names: tuple[str, ...] = ("",),
    fonts: Sequence[int] | None = None,
    sizes: Sequence[float] | None = None,
    source: WordSource = WordSource.TEXT,
    confidences: Sequence[float] | None = None,
    rulings: Sequence[Box] = (),
    image_cover: float = 0.0,
    ink: NDArray[np.uint8] | None = None,
) -> PageWords:
    """A page from plain values; sizes default to the boxes' heights, confidences to 1."""
    pairs = list(words)
    count = len(pairs)
    boxes = np.array([box for _, box in pairs], np.float32).reshape(count, 4)
    return PageWords(
        number=number,
        width=width,
        height=height,
        texts=tuple(text for text, _ in pairs),
        boxes=boxes,
        font_names=font_names,
        fonts=np.zeros(count, np.uint16) if fonts is None else np.array(fonts, np.uint16),
        sizes=boxes[:, 3] - boxes[:, 1] if sizes is None else np.array(sizes, np.float32),
        sources=np.full(count, source, np.uint8),
        confidences=(
            np.ones(count, np.float32) if confidences is None else np.array(confidences, np.float32)
        ),
        rulings=np.array(rulings, np.float32).reshape(-1, 4),
        image_cover=image_cover,
        ink=ink,
    )


# The stored form. Little endian; a file header, then per page a fixed header and its arrays back to back, each
# part padded to four bytes so that numpy looks at the bytes in place:
#   boxes f4[n,4] · sizes f4[n] · confidences f4[n] · rulings f4[m,4] · fonts u2[n] · sources u1[n] ·
#   texts and font names (UTF-8, one per line) · ink (zlib; its rows and columns 0 where there is none)
_MAGIC = b"FLW1"
_FILE = struct.Struct("<4sI")
_PAGE = struct.Struct("<IIIddfIIIII")


class WordsDamaged(RecordError):
    """Stored words that this program cannot read."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"The stored words cannot be read: {problem}. Read the document again.")


def pack(pages: Sequence[PageWords]) -> bytes:
    """The stored form of a document's pages; ``unpack`` is its inverse.

    Line breaks and NULs inside a word become blanks, lone surrogates question marks: no database and no JSON
    takes them.
    """
    parts = [_FILE.pack(_MAGIC, len(pages))]
    for page in pages:
        texts = _lines(page.texts)
        names = _lines(page.font_names)
        rows, columns, ink = _folded(page)
        parts += [
            _PAGE.pack(
                page.number,
                len(page.texts),
                len(page.rulings),
                page.width,
                page.height,
                page.image_cover,
                len(texts),
                len(names),
                rows,
                columns,
                len(ink),
            ),
            np.ascontiguousarray(page.boxes, "<f4").tobytes(),
            np.ascontiguousarray(page.sizes, "<f4").tobytes(),
            np.ascontiguousarray(page.confidences, "<f4").tobytes(),
            np.ascontiguousarray(page.rulings, "<f4").tobytes(),
            _padded(np.ascontiguousarray(page.fonts, "<u2").tobytes()),
            _padded(np.ascontiguousarray(page.sources, "u1").tobytes()),
            _padded(texts),
            _padded(names),
            _padded(ink),
        ]
    return b"".join(parts)


def unpack(data: bytes) -> list[PageWords]:
    """The pages of the stored form; arrays are read-only views of ``data``. Raises WordsDamaged."""
    if len(data) < _FILE.size or data[:3] != _MAGIC[:3]:
        raise WordsDamaged("they do not begin as words do")
    magic, count = _FILE.unpack_from(data)
    if magic != _MAGIC:
        raise WordsDamaged(f"their format {magic[3:].decode('ascii', 'replace')!r} is not known")
    at = _FILE.size
    pages: list[PageWords] = []
    try:
        for _ in range(count):
            page, at = _unpack_page(data, at)
            pages.append(page)
    except (struct.error, ValueError, IndexError) as error:
        raise WordsDamaged(f"page {len(pages)} is cut short or damaged") from error
    if at != len(data):
        raise WordsDamaged("bytes follow their last page")
    return pages


def _unpack_page(data: bytes, at: int) -> tuple[PageWords, int]:
    (number, n, m, width, height, cover, texts_size, names_size, rows, columns, ink_size) = (
        _PAGE.unpack_from(data, at)
    )
    at += _PAGE.size
    numbers = np.frombuffer(data, "<f4", 6 * n + 4 * m, at)
    at += numbers.nbytes
    fonts = np.frombuffer(data, "<u2", n, at)
    at += _padding(2 * n)
    sources = np.frombuffer(data, "u1", n, at)
    at += _padding(n)
    texts = _unlines(data[at : at + texts_size], n)
    at += _padding(texts_size)
    names = data[at : at + names_size].decode().split("\n")
    at += _padding(names_size)
    ink = _PackedInk(rows, columns, data[at : at + ink_size]) if rows else None
    at += _padding(ink_size)
    page = PageWords(
        number=number,
        width=width,
        height=height,
        texts=texts,
        boxes=numbers[: 4 * n].reshape(n, 4),
        font_names=tuple(names),
        fonts=fonts,
        sizes=numbers[4 * n : 5 * n],
        sources=sources,
        confidences=numbers[5 * n : 6 * n],
        rulings=numbers[6 * n :].reshape(m, 4),
        image_cover=cover,
        ink=ink,
    )
    return page, at


def _folded(page: PageWords) -> tuple[int, int, bytes]:
    ink = page._ink
    if ink is None:
        return 0, 0, b""
    if isinstance(ink, _PackedInk):
        return ink.rows, ink.columns, ink.data
    rows, columns = ink.shape
    return rows, columns, zlib.compress(np.ascontiguousarray(ink, np.uint8).tobytes(), 6)


_UNSTORABLE = str.maketrans({"\n": " ", "\r": " ", "\0": " "})


def _lines(texts: Sequence[str]) -> bytes:
    return "\n".join(text.translate(_UNSTORABLE) for text in texts).encode("utf-8", "replace")


def _unlines(data: bytes, count: int) -> tuple[str, ...]:
    if count == 0:
        return ()
    texts = tuple(data.decode().split("\n"))
    if len(texts) != count:
        raise ValueError(f"{len(texts)} texts for {count} words")
    return texts


def _padding(size: int) -> int:
    return (size + 3) & ~3


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (_padding(len(data)) - len(data))


def words_under(page: PageWords, box: Box) -> NDArray[np.intp]:
    """Indices of the words a box covers, in reading order.

    A word counts if its centre or at least half its area lies in the box. A box drawn inside one word, so
    small that it covers none, means the word around its centre.
    """
    if not page.texts:
        return np.zeros(0, np.intp)
    x0, y0, x1, y1 = (
        min(box[0], box[2]),
        min(box[1], box[3]),
        max(box[0], box[2]),
        max(box[1], box[3]),
    )
    left, top, right, bottom = page.boxes.T
    middle = (left + right) / 2
    centre = (top + bottom) / 2
    inside = (middle >= x0) & (middle <= x1) & (centre >= y0) & (centre <= y1)
    wide = np.minimum(right, x1) - np.maximum(left, x0)
    high = np.minimum(bottom, y1) - np.maximum(top, y0)
    half = (wide > 0) & (high > 0) & (2 * wide * high >= (right - left) * (bottom - top))
    found: NDArray[np.intp] = np.flatnonzero(inside | half)
    if found.size == 0:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        found = np.flatnonzero((left <= x) & (x <= right) & (top <= y) & (y <= bottom))
    return found


def snap(page: PageWords, box: Box) -> tuple[Box | None, str]:
    """The tight box around the words under ``box`` and their text, joined by blanks; (None, "") if there is none."""
    found = words_under(page, box)
    if found.size == 0:
        return None, ""
    boxes = page.boxes[found]
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    text = " ".join(page.texts[i] for i in found)
    return (float(x0), float(y0), float(x1), float(y1)), text
