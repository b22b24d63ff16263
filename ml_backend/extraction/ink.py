"""How dark parts of a page are, from the reader's grid of 2-point cells."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.fields import Box, PageLike

CELL = 2.0  # points; the reader's grid


def darkness(page: PageLike, box: Box, hidden: Iterable[Box] = ()) -> float | None:
    """Mean share of dark pixels inside the box, 0..1, cells under `hidden` boxes left out.

    None where the page was not rendered or the box holds no cell.
    """
    if page.ink is None:
        return None
    x0, x1 = _cells(box[0], box[2], page.ink.shape[1])
    y0, y1 = _cells(box[1], box[3], page.ink.shape[0])
    part: NDArray[np.uint8] = page.ink[y0:y1, x0:x1]
    if part.size == 0:
        return None
    seen = np.ones(part.shape, dtype=bool)
    for other in hidden:
        a0, a1 = int(other[0] // CELL) - x0, int(-(-other[2] // CELL)) - x0
        b0, b1 = int(other[1] // CELL) - y0, int(-(-other[3] // CELL)) - y0
        seen[max(b0, 0) : max(b1, 0), max(a0, 0) : max(a1, 0)] = False
    if not seen.any():
        return None
    return float(part[seen].mean()) / 255.0


def _cells(low: float, high: float, count: int) -> tuple[int, int]:
    first = max(0, min(count, int(low // CELL)))
    return first, max(first, min(count, int(-(-high // CELL))))
