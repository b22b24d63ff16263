"""Words from any source as one table, in the page as displayed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.words import PageWords, WordSource
from ml_backend.reading.fallback import PlumberWords
from ml_backend.reading.frame import Frame
from ml_backend.reading.ocr import OcrWords
from ml_backend.reading.text_layer import TextLayer


@dataclass(frozen=True, slots=True)
class WordTable:
    """n words in reading order; boxes (n, 4) x0, y0, x1, y1 in points from the top left of the page."""

    texts: tuple[str, ...]
    boxes: NDArray[np.float64]
    sizes: NDArray[np.floating[Any]]
    fonts: NDArray[np.uint16]
    font_names: tuple[str, ...]
    sources: NDArray[np.uint8]
    confidences: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, which: NDArray[Any]) -> WordTable:
        """The words at these places, in this order; or those marked True."""
        places = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return WordTable(
            texts=tuple(map(self.texts.__getitem__, places.tolist())),
            boxes=self.boxes.take(places, axis=0),
            sizes=self.sizes.take(places),
            fonts=self.fonts.take(places),
            font_names=self.font_names,
            sources=self.sources.take(places),
            confidences=self.confidences.take(places),
        )


_MANY = 4096
"""Pages of up to so many words share the arrays that say the same of every word."""
_SURE = np.ones(_MANY)
_SURE.flags.writeable = False
_SAME_SOURCE = {source: np.full(_MANY, source, np.uint8) for source in WordSource}
for _sources in _SAME_SOURCE.values():
    _sources.flags.writeable = False


def _one_source(source: WordSource, count: int) -> NDArray[np.uint8]:
    """That source for every word; not to be written to."""
    return _SAME_SOURCE[source][:count] if count <= _MANY else np.full(count, source, np.uint8)


def _all_sure(count: int) -> NDArray[np.float64]:
    """Confidence 1 for every word; not to be written to."""
    return _SURE[:count] if count <= _MANY else np.ones(count)


def table(
    texts: list[str] | tuple[str, ...],
    boxes: NDArray[np.float64],
    source: WordSource,
    *,
    sizes: NDArray[np.floating[Any]] | None = None,
    fonts: NDArray[np.uint16] | None = None,
    font_names: tuple[str, ...] = ("",),
    confidences: NDArray[np.float64] | None = None,
) -> WordTable:
    """Words of one source; sizes default to the boxes' heights, confidences to 1."""
    count = len(texts)
    return WordTable(
        texts=tuple(texts),
        boxes=boxes,
        sizes=boxes[:, 3] - boxes[:, 1] if sizes is None else sizes,
        fonts=np.zeros(count, np.uint16) if fonts is None else fonts,
        font_names=font_names or ("",),
        sources=_one_source(source, count),
        confidences=_all_sure(count) if confidences is None else confidences,
    )


def from_text_layer(layer: TextLayer, frame: Frame, source: WordSource) -> WordTable:
    """The words of a text layer, turned with their page."""
    return table(
        layer.texts,
        frame.display(layer.boxes),
        source,
        sizes=layer.sizes,
        fonts=layer.fonts,
        font_names=layer.font_names,
    )


def from_ocr(words: OcrWords, points_per_pixel: tuple[float, float]) -> WordTable:
    """OCR's words, in points of the picture they were read from."""
    across, down = points_per_pixel
    return table(
        words.texts,
        words.boxes * [across, down, across, down],
        WordSource.OCR,
        confidences=words.confidences,
    )


def from_plumber(found: PlumberWords, frame: Frame | None = None) -> WordTable:
    """pdfplumber's words; ``frame`` if it is not to be the one pdfplumber found."""
    return table(
        found.texts,
        (frame or found.frame).display(found.boxes),
        WordSource.TEXT,
        sizes=found.sizes,
        fonts=found.fonts,
        font_names=found.font_names,
    )


def on_page(words: WordTable, width: float, height: float) -> tuple[WordTable, int]:
    """The words that show on a page of this size, their boxes cut at its edges, and how many do not show."""
    boxes = words.boxes
    far = np.array((width, height, width, height))
    # Comparisons with NaN are False: boxes that pdfium could not place are left out.
    within = np.count_nonzero(boxes >= 0) + np.count_nonzero(boxes <= far)
    if within == 2 * boxes.size:
        return words, 0
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    outside = 2 - np.count_nonzero((middle >= 0) & (middle <= far[:2]), axis=1)
    kept = words.take(np.flatnonzero(outside == 0)) if np.count_nonzero(outside) else words
    return replace(kept, boxes=kept.boxes.clip(0, far)), len(words) - len(kept)


def not_under(words: WordTable, boxes: NDArray[np.float64], source: WordSource) -> WordTable:
    """Without the words of one source whose centre lies in one of the boxes."""
    middle = (words.boxes[:, None, :2] + words.boxes[:, None, 2:]) / 2
    inside = (middle >= boxes[:, :2]) & (middle <= boxes[:, 2:])
    under = inside.min(axis=2).max(axis=1) & (words.sources == source)
    return words.take(np.flatnonzero(~under)) if under.any() else words


def merged(words: WordTable, fields: WordTable) -> WordTable:
    """Field values among the other words: each after the last word before it on its line, or above it."""
    if not len(fields):
        return words
    both = WordTable(
        texts=words.texts + fields.texts,
        boxes=np.concatenate([words.boxes, fields.boxes]),
        sizes=np.concatenate([words.sizes, fields.sizes]),
        fonts=np.concatenate([words.fonts, fields.fonts + np.uint16(len(words.font_names))]),
        font_names=words.font_names + fields.font_names,
        sources=np.concatenate([words.sources, fields.sources]),
        confidences=np.concatenate([words.confidences, fields.confidences]),
    )
    places = [_place(words.boxes, box) for box in fields.boxes]
    keys = np.concatenate([np.arange(len(words), dtype=np.float64), np.array(places)])
    return both.take(np.argsort(keys, kind="stable"))


def _place(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> float:
    """Between which words a box belongs: half past the number of the word before it."""
    if not len(boxes):
        return 0.0
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    on_line = (middle >= box[1]) & (middle <= box[3]) & (boxes[:, 0] <= box[0])
    if on_line.any():
        before = np.flatnonzero(on_line)
        return float(before[boxes[before, 2].argmax()]) + 0.5
    above = np.flatnonzero(boxes[:, 3] <= box[1])
    return float(above[boxes[above, 3].argmax()]) + 0.5 if above.size else -0.5


def page_words(
    number: int,
    width: float,
    height: float,
    words: WordTable,
    rulings: NDArray[np.float64],
    cover: float,
    ink: NDArray[np.uint8] | None,
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
