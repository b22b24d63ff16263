"""Pages made by hand for extraction's tests: words set like a typewriter would, or given boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.fields import Box, Document, Label

GLYPH = 5.0  # points per character
HEIGHT = 10.0


@dataclass(frozen=True)
class Page:
    """A `PageLike` of plain attributes."""

    number: int
    texts: tuple[str, ...]
    boxes: NDArray[np.float32]
    width: float = 612.0
    height: float = 792.0
    font_names: tuple[str, ...] = ("Helvetica",)
    rulings: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    image_cover: float = 0.0
    ink: NDArray[np.uint8] | None = None

    @property
    def fonts(self) -> NDArray[np.uint16]:
        return np.zeros(len(self.texts), np.uint16)

    @property
    def sizes(self) -> NDArray[np.float32]:
        return np.full(len(self.texts), HEIGHT, np.float32)

    @property
    def sources(self) -> NDArray[np.uint8]:
        return np.zeros(len(self.texts), np.uint8)

    @property
    def confidences(self) -> NDArray[np.float32]:
        return np.ones(len(self.texts), np.float32)


def words_at(x: float, y: float, text: str) -> list[tuple[str, Box]]:
    """The words of `text` set from (x, y) to the right, one glyph's width apart... in points."""
    found: list[tuple[str, Box]] = []
    for word in text.split():
        found.append((word, (x, y, x + GLYPH * len(word), y + HEIGHT)))
        x += GLYPH * len(word) + 3.0
    return found


def width_of(text: str) -> float:
    """Points `text` takes when set by `words_at`."""
    return GLYPH * len(text) - (GLYPH - 3.0) * text.count(" ")


def right_at(x: float, y: float, text: str) -> list[tuple[str, Box]]:
    """As `words_at`, ending at x."""
    return words_at(x - width_of(text), y, text)


def page(
    *chunks: Sequence[tuple[str, Box]],
    number: int = 0,
    rulings: Sequence[Box] = (),
    ink: NDArray[np.uint8] | None = None,
    font: str = "Helvetica",
) -> Page:
    """A page of the chunks' words."""
    words = [word for chunk in chunks for word in chunk]
    return Page(
        number,
        tuple(text for text, _ in words),
        np.array([box for _, box in words], np.float32).reshape(-1, 4),
        font_names=(font,),
        rulings=np.array(list(rulings), np.float32).reshape(-1, 4),
        ink=ink,
    )


def document(*pages: Page, id_: str = "d") -> Document:
    return Document(id_, pages)


def label(
    field_: str, chunk: Sequence[tuple[str, Box]], page_: int = 0, row: int | None = None
) -> Label:
    """A label around the chunk's words."""
    boxes = np.array([box for _, box in chunk])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Label(field_, page_, box, " ".join(text for text, _ in chunk), row)
