"""From a PDF page's own coordinates to the page as displayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """The visible part of a page (left, bottom, right, top; y upwards) and how far it is turned clockwise.

    Pages are read unturned, because PDF text engines break words on turned pages; this is where they are
    turned.
    """

    left: float
    bottom: float
    right: float
    top: float
    quarter_turns: int

    @property
    def width(self) -> float:
        """Width as displayed, in points."""
        return self.right - self.left if self.quarter_turns % 2 == 0 else self.top - self.bottom

    @property
    def height(self) -> float:
        return self.top - self.bottom if self.quarter_turns % 2 == 0 else self.right - self.left

    def display(self, boxes: Boxes) -> Boxes:
        """Boxes (n, 4) left, bottom, right, top on the page as (x0, y0, x1, y1) from its top left, downwards."""
        columns, signs, starts = _TURNED[self.quarter_turns % 4]
        edges = (-self.left, -self.bottom, self.right, self.top)
        return boxes.take(columns, axis=1) * signs + [edges[start] for start in starts]


def _turned(
    *sides: tuple[int, int],
) -> tuple[NDArray[np.intp], NDArray[np.float64], tuple[int, ...]]:
    columns, signs = zip(*sides, strict=True)
    starts = tuple(column % 2 if sign > 0 else 2 + column % 2 for column, sign in sides)
    return np.array(columns, np.intp), np.array(signs, np.float64), starts


_TURNED = (
    _turned((0, 1), (3, -1), (2, 1), (1, -1)),
    _turned((1, 1), (0, 1), (3, 1), (2, 1)),
    _turned((2, -1), (1, 1), (0, -1), (3, 1)),
    _turned((3, -1), (2, -1), (1, -1), (0, -1)),
)
"""By quarter turns: which side becomes x0, y0, x1 and y1, and whether it then runs the other way; and at which
edge each begins: minus the left, minus the bottom, the right, the top."""
