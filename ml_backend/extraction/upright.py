"""Pages whose text runs up or down the sheet, turned so that it reads from left to right.

A file may print its text sideways on a page it does not say is turned. Lines, columns and "left of"
mean nothing there; so such a page is turned before anybody looks at it, and boxes are turned back
in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.fields import (
    Alternative,
    Box,
    Document,
    Extraction,
    Labels,
    PageLike,
    Span,
    Value,
)

FEWEST_WORDS = 8
LONG_WORD = 3
"""Characters from which a word printed upright is wider than high."""
TALL = 1.2
"""Height over width from which such a word lies on its side."""
MOSTLY = 0.7


@dataclass(frozen=True, slots=True)
class TurnedPage:
    """A page after a quarter turn clockwise (`turns` 1) or the other way (3); see PageLike."""

    turns: int
    number: int
    width: float
    height: float
    texts: tuple[str, ...]
    boxes: NDArray[np.float32]
    font_names: tuple[str, ...]
    fonts: NDArray[np.uint16]
    sizes: NDArray[np.float32]
    sources: NDArray[np.uint8]
    confidences: NDArray[np.float32]
    rulings: NDArray[np.float32]
    image_cover: float
    ink: NDArray[np.uint8] | None

    def placed(self, box: Box) -> Box:
        """Where a box of the page as it was stands on this one."""
        return _turn(box, self.height, self.width, self.turns)

    def put_back(self, box: Box) -> Box:
        return _turn(box, self.width, self.height, 4 - self.turns)


def _turn(box: Box, width: float, height: float, turns: int) -> Box:
    x0, y0, x1, y1 = box
    if turns == 1:
        return (height - y1, x0, height - y0, x1)
    return (y0, width - x1, y1, width - x0)


def quarter_turns(page: PageLike) -> int:
    """Turns clockwise that make the page's text read from left to right: 0, 1 or 3."""
    if len(page.texts) < FEWEST_WORDS:
        return 0
    boxes = np.asarray(page.boxes, dtype=np.float64).reshape(-1, 4)
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    tall = high > TALL * wide
    if np.count_nonzero(tall) < FEWEST_WORDS:  # nearly every page
        return 0
    long = np.fromiter((len(text) >= LONG_WORD for text in page.texts), bool, len(page.texts))
    on_side = long & tall
    if on_side.sum() < max(FEWEST_WORDS, MOSTLY * long.sum()):
        return 0
    # Words are stored in reading order: whether the next of the same line stands higher up.
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    same = np.abs(np.diff(middle)) < 0.5 * np.minimum(wide[1:], wide[:-1])
    steps = np.diff(boxes[:, 1])[same & on_side[1:] & on_side[:-1]]
    return 3 if len(steps) and (steps > 0).mean() > 0.5 else 1


def upright(document: Document) -> Document:
    """The document itself where no page lies on its side."""
    turns = [quarter_turns(page) for page in document.pages]
    if not any(turns):
        return document
    pages = [_turned(p, t) if t else p for p, t in zip(document.pages, turns, strict=True)]
    return Document(document.id, pages)


def _turned(page: PageLike, turns: int) -> TurnedPage:
    return TurnedPage(
        turns=turns,
        number=page.number,
        width=page.height,
        height=page.width,
        texts=page.texts,
        boxes=_turn_all(page.boxes, page, turns),
        font_names=page.font_names,
        fonts=page.fonts,
        sizes=page.sizes,
        sources=page.sources,
        confidences=page.confidences,
        rulings=_turn_all(page.rulings, page, turns),
        image_cover=page.image_cover,
        ink=None if page.ink is None else np.ascontiguousarray(np.rot90(page.ink, -turns)),
    )


def _turn_all(boxes: NDArray[np.float32], page: PageLike, turns: int) -> NDArray[np.float32]:
    x0, y0, x1, y1 = np.asarray(boxes, dtype=np.float32).reshape(-1, 4).T
    if turns == 1:
        return np.stack((page.height - y1, x0, page.height - y0, x1), axis=1)
    return np.stack((y0, page.width - x1, y1, page.width - x0), axis=1)


def _turned_pages(document: Document) -> dict[int, TurnedPage]:
    return {page.number: page for page in document.pages if isinstance(page, TurnedPage)}


def labels_placed(document: Document, labels: Labels) -> Labels:
    """Labels drawn on the pages as they were, on those of the upright `document`."""
    turned = _turned_pages(document)
    if not turned:
        return labels
    own = tuple(
        replace(label, box=turned[label.page].placed(label.box)) if label.page in turned else label
        for label in labels.labels
    )
    return replace(labels, labels=own)


def extraction_put_back(document: Document, found: Extraction) -> Extraction:
    """Boxes found on the upright `document`, on the pages as they were."""
    turned = _turned_pages(document)
    if not turned:
        return found
    return replace(found, values=tuple(_value_put_back(value, turned) for value in found.values))


def _value_put_back(value: Value, turned: Mapping[int, TurnedPage]) -> Value:
    others: tuple[Alternative, ...] = tuple(
        replace(other, spans=_spans_put_back(other.spans, turned)) for other in value.alternatives
    )
    return replace(value, spans=_spans_put_back(value.spans, turned), alternatives=others)


def _spans_put_back(spans: Sequence[Span], turned: Mapping[int, TurnedPage]) -> tuple[Span, ...]:
    return tuple(
        Span(s.page, turned[s.page].put_back(s.box)) if s.page in turned else s for s in spans
    )
