"""Boxes, lines and segments: all in points, origin at the top left, y growing downwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.fields import Box, PageLike

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def intersection(a: Box, b: Box) -> float:
    """Area the two boxes share, square points."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    """Shared area over joint area, 0..1; 0 for boxes without area."""
    shared = intersection(a, b)
    joint = area(a) + area(b) - shared
    return shared / joint if joint > 0 else 0.0


def union(boxes: Iterable[Box]) -> Box:
    """Smallest box around all of them; ValueError for none."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return (min(x0), min(y0), max(x1), max(y1))


def x_overlap(a: Box, b: Box) -> float:
    """Points the boxes share horizontally, negative: the gap between them."""
    return min(a[2], b[2]) - max(a[0], b[0])


def y_overlap(a: Box, b: Box) -> float:
    """Points the boxes share vertically, negative: the gap between them."""
    return min(a[3], b[3]) - max(a[1], b[1])


def same_line(a: Box, b: Box, share: float = 0.5) -> bool:
    """Whether the lower box overlaps the other vertically by `share` of its height."""
    height = min(a[3] - a[1], b[3] - b[1])
    return y_overlap(a, b) >= share * max(height, 1e-6)


def words_in(page: PageLike, box: Box, share: float = 0.5) -> IntArray:
    """Indices of the words covered by `box` to at least `share` or whose centre lies in it."""
    boxes = np.asarray(page.boxes, dtype=np.float64).reshape(-1, 4)
    width = np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0])
    height = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    whole = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    centred = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
    return np.flatnonzero(((whole > 0) & (shared >= share * whole)) | centred)


def box_of(page: PageLike, indices: Iterable[int]) -> Box:
    """Smallest box around the page's words `indices`; ValueError for none."""
    rows = np.asarray(page.boxes, dtype=np.float64).reshape(-1, 4)[list(indices)]
    if not len(rows):
        raise ValueError("no words to put a box around")
    low, high = rows[:, :2].min(axis=0), rows[:, 2:].max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


@dataclass(frozen=True)
class Layout:
    """The words of a page put into lines and segments.

    `order` lists word indices line by line, left to right. `line` and `segment` are indexed by the
    word's own index; a segment is a run of words in a line without a wide gap.
    """

    order: IntArray
    line: IntArray
    segment: IntArray

    @cached_property
    def lines(self) -> tuple[IntArray, ...]:
        """The word indices of each line."""
        return _runs(self.order, self.line)

    @cached_property
    def segments(self) -> tuple[IntArray, ...]:
        """The word indices of each segment."""
        return _runs(self.order, self.segment)


def _runs(order: IntArray, group: IntArray) -> tuple[IntArray, ...]:
    if not len(order):
        return ()
    own = group[order]
    ends = [*(np.flatnonzero(own[1:] != own[:-1]) + 1).tolist(), len(order)]
    starts = [0, *ends[:-1]]
    return tuple(order[i:j] for i, j in zip(starts, ends, strict=True))


def lay_out(boxes: NDArray[np.float32], gap: float = 1.2) -> Layout:
    """Lines by vertical centre, segments split where the gap exceeds `gap` line heights."""
    singles = np.ascontiguousarray(boxes, dtype=np.float32).reshape(-1, 4)
    n = len(singles)
    segment = np.zeros(n, dtype=np.intp)
    if n == 0:
        return Layout(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp), segment)
    b = singles.astype(np.float64)
    height = np.maximum(b[:, 3] - b[:, 1], 1.0)
    line = np.asarray(_lines(singles.tobytes()), dtype=np.intp)
    order = np.lexsort((b[:, 0], line)).astype(np.intp)
    same = line[order][1:] == line[order][:-1]
    left, right = order[:-1], order[1:]
    wide = b[right, 0] - b[left, 2] > gap * np.minimum(height[left], height[right])
    breaks = np.concatenate(([0], np.cumsum(~same | wide)))
    segment[order] = breaks
    return Layout(order, line, segment)


@lru_cache(maxsize=32)
def _lines(boxes: bytes) -> list[int]:
    """The line each box stands in, from above; a page is asked about more than once in a row."""
    b = np.frombuffer(boxes, dtype=np.float32).reshape(-1, 4).astype(np.float64)
    height = np.maximum(b[:, 3] - b[:, 1], 1.0)
    middle = (b[:, 1] + b[:, 3]) / 2
    centre, tall = middle.tolist(), height.tolist()
    current, line_middle, line_height, count = -1, -1e9, 1.0, 0
    line = [0] * len(b)
    for i in np.argsort(middle, kind="stable").tolist():
        y, h = centre[i], tall[i]
        lower = min(line_height, h)
        if y - line_middle > 0.5 * lower + 0.5:
            current, line_middle, line_height, count = current + 1, y, h, 1
        else:
            line_middle = (line_middle * count + y) / (count + 1)
            line_height = (line_height * count + h) / (count + 1)
            count += 1
        line[i] = current
    return line
