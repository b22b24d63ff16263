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
        across, down = _TURNED[self.quarter_turns % 4]
        shown = np.empty(boxes.shape, np.float64)
        self._along(boxes, across, shown[:, ::2])
        self._along(boxes, down, shown[:, 1::2])
        return shown

    def _along(self, boxes: Boxes, side: int, shown: Boxes) -> None:
        """Writes the boxes' near and far edges, in points from one side of the visible part."""
        if side == _LEFT:
            np.subtract(boxes[:, ::2], self.left, out=shown)
        elif side == _BOTTOM:
            np.subtract(boxes[:, 1::2], self.bottom, out=shown)
        elif side == _RIGHT:
            np.subtract(self.right, boxes[:, 2::-2], out=shown)
        else:
            np.subtract(self.top, boxes[:, 3::-2], out=shown)


_LEFT, _BOTTOM, _RIGHT, _TOP = range(4)
_TURNED = ((_LEFT, _TOP), (_BOTTOM, _LEFT), (_RIGHT, _BOTTOM), (_TOP, _RIGHT))
"""By quarter turns: from which side of the unturned page x and y are counted."""
