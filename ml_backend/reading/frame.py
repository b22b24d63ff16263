"""From a PDF page's own coordinates to the page as displayed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


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
        """Boxes (n, 4) in any corner order, page coordinates, as (x0, y0, x1, y1) from the top left, downwards."""
        x = boxes[:, 0::2] - self.left
        y = boxes[:, 1::2] - self.bottom
        wide, high = self.right - self.left, self.top - self.bottom
        across, down = (
            (x, high - y),
            (y, x),
            (wide - x, y),
            (high - y, wide - x),
        )[self.quarter_turns % 4]
        return np.stack(
            [across.min(axis=1), down.min(axis=1), across.max(axis=1), down.max(axis=1)], axis=1
        )
