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
        return replace(
            self,
            texts=tuple(self.texts[i] for i in places.tolist()),
            boxes=self.boxes[places],
            sizes=self.sizes[places],
            fonts=self.fonts[places],
            sources=self.sources[places],
            confidences=self.confidences[places],
        )


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
    sources = np.empty(count, np.uint8)
    sources.fill(source)
    if confidences is None:
        confidences = np.empty(count)
        confidences.fill(1.0)
    return WordTable(
        texts=tuple(texts),
        boxes=boxes,
        sizes=boxes[:, 3] - boxes[:, 1] if sizes is None else sizes,
        fonts=np.zeros(count, np.uint16) if fonts is None else fonts,
        font_names=font_names or ("",),
        sources=sources,
        confidences=confidences,
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
    # Comparisons with NaN are False: boxes that pdfium could not place are left out.
    within = (
        np.count_nonzero(words.boxes >= 0)
        + np.count_nonzero(words.boxes[:, ::2] <= width)
        + np.count_nonzero(words.boxes[:, 1::2] <= height)
    )
    if within == 2 * words.boxes.size:
        return words, 0
    middle = (words.boxes[:, :2] + words.boxes[:, 2:]) / 2
    inside = np.flatnonzero(((middle >= 0) & (middle <= [width, height])).all(axis=1))
    kept = words if inside.size == len(words) else words.take(inside)
    return replace(kept, boxes=kept.boxes.clip(0, [width, height, width, height])), len(
        words
    ) - len(kept)


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
