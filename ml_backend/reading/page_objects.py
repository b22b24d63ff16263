"""What else is on a PDF page: its rulings, how much of it images cover, how its text is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from ml_backend.reading import pdfium
from ml_backend.reading.frame import Boxes, Frame

TEXT, PATH, IMAGE, _SHADING, FORM = 1, 2, 3, 4, 5
_LINE_TO, _MOVE_TO = 0, 2
INVISIBLE = 3
"""PDF text render mode of text that is not drawn."""

MAX_OBJECTS = 50_000
MAX_RULINGS = 4_000
MAX_DEPTH = 8
_MAX_SEGMENTS = 256
_THIN = 3.0
_SHORT = 4.0
_GRID = 64

_IDENTITY = np.array([1, 0, 0, 1, 0, 0], np.float64)


@dataclass(slots=True)
class PageObjects:
    """Counts and boxes of a page's objects, in the page's own coordinates."""

    text_objects: int = 0
    invisible_text_objects: int = 0
    paths: int = 0
    images: list[NDArray[np.float64]] = field(default_factory=list)
    rulings: list[NDArray[np.float64]] = field(default_factory=list)
    complete: bool = True
    """False if the page has so many objects that the rest were not looked at."""
    seen: int = 0
    ruling_count: int = 0


def read_objects(page: int) -> PageObjects:
    """Walk the objects of an open pdfium page, forms included."""
    found = PageObjects()
    handles = list(map(pdfium.get_object, repeat(page), range(pdfium.count_objects(page))))
    _walk(handles, _IDENTITY, found, 0)
    return found


def _walk(handles: list[int], matrix: NDArray[np.float64], found: PageObjects, depth: int) -> None:
    room = MAX_OBJECTS - found.seen
    if len(handles) > room:
        handles = handles[:room]
        found.complete = False
    found.seen += len(handles)
    if not handles:
        return
    objects = np.array(handles, np.uint64)
    kinds = np.fromiter(map(pdfium.get_object_type, handles), np.int8, len(handles))
    texts = objects[kinds == TEXT].tolist()
    found.text_objects += len(texts)
    found.invisible_text_objects += sum(
        mode == INVISIBLE for mode in map(pdfium.get_render_mode, texts)
    )
    images = objects[kinds == IMAGE].tolist()
    if images:
        found.images.append(_transformed(_bounds(images), matrix))
    paths = objects[kinds == PATH].tolist()
    found.paths += len(paths)
    if paths and found.ruling_count < MAX_RULINGS:
        rulings = _rulings(paths, matrix)[: MAX_RULINGS - found.ruling_count]
        found.ruling_count += len(rulings)
        found.rulings.append(rulings)
    if depth < MAX_DEPTH:
        for form in objects[kinds == FORM].tolist():
            count = min(pdfium.count_form_objects(form), MAX_OBJECTS + 1)
            inner = list(map(pdfium.get_form_object, repeat(form), range(max(count, 0))))
            _walk(inner, _composed(_matrix(form), matrix), found, depth + 1)


def _bounds(objects: list[int]) -> NDArray[np.float64]:
    boxes = np.zeros((len(objects), 4), np.float32)
    at = pdfium.addresses(boxes)
    start = boxes.ctypes.data
    end = start + boxes.nbytes
    pdfium.consume(
        map(
            pdfium.get_object_bounds,
            objects,
            at,
            range(start + 4, end + 4, 16),
            range(start + 8, end + 8, 16),
            range(start + 12, end + 12, 16),
        )
    )
    return boxes.astype(np.float64)


def _matrix(form: int) -> NDArray[np.float64]:
    values = np.zeros(6, np.float32)
    return (
        values.astype(np.float64)
        if pdfium.get_object_matrix(form, values.ctypes.data)
        else _IDENTITY
    )


def _composed(inner: NDArray[np.float64], outer: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return np.array(
        [
            a * p + b * r,
            a * q + b * s,
            c * p + d * r,
            c * q + d * s,
            e * p + f * r + t,
            e * q + f * s + u,
        ]
    )


def _transformed(boxes: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    if (matrix == _IDENTITY).all():
        return boxes
    a, b, c, d, e, f = matrix
    x = boxes[:, [0, 2, 0, 2]]
    y = boxes[:, [1, 1, 3, 3]]
    across = a * x + c * y + e
    down = b * x + d * y + f
    return np.column_stack(
        [across.min(axis=1), down.min(axis=1), across.max(axis=1), down.max(axis=1)]
    )


def _rulings(paths: list[int], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thin paths as they are; of the others every horizontal or vertical straight part."""
    bounds = _transformed(_bounds(paths), matrix)
    wide = bounds[:, 2] - bounds[:, 0]
    high = bounds[:, 3] - bounds[:, 1]
    thin = (np.minimum(wide, high) <= _THIN) & (np.maximum(wide, high) >= _SHORT)
    parts = [bounds[thin]]
    for index in np.flatnonzero((wide > _THIN) & (high > _THIN)).tolist()[:MAX_RULINGS]:
        lines = _straight_parts(paths[index])
        if lines is not None:
            parts.append(_transformed(lines, matrix))
    found = np.concatenate(parts)
    length = np.maximum(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1])
    return found[(length >= _SHORT) & np.isfinite(found).all(axis=1)]


def _straight_parts(path: int) -> NDArray[np.float64] | None:
    count = pdfium.count_segments(path)
    if not 2 <= count <= _MAX_SEGMENTS:
        return None
    segments = list(map(pdfium.get_segment, repeat(path), range(count)))
    kinds = np.fromiter(map(pdfium.get_segment_type, segments), np.int8, count)
    points = np.zeros((count, 2), np.float32)
    start = points.ctypes.data
    pdfium.consume(
        map(
            pdfium.get_segment_point,
            segments,
            pdfium.addresses(points),
            range(start + 4, start + 4 + points.nbytes, 8),
        )
    )
    own = np.zeros(6, np.float32)
    if pdfium.get_object_matrix(path, own.ctypes.data):
        a, b, c, d, e, f = own.astype(np.float64)
        x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
        placed = np.column_stack([a * x + c * y + e, b * x + d * y + f])
    else:
        placed = points.astype(np.float64)
    pairs = [np.column_stack([placed[:-1], placed[1:]])[kinds[1:] == _LINE_TO]]
    if count >= 4 and kinds[0] == _MOVE_TO:
        pairs.append(np.concatenate([placed[-1], placed[0]])[None])
    lines = np.concatenate(pairs)
    straight = np.minimum(abs(lines[:, 2] - lines[:, 0]), abs(lines[:, 3] - lines[:, 1])) <= 0.5
    lines = lines[straight]
    return np.column_stack(
        [
            lines[:, 0::2].min(axis=1),
            lines[:, 1::2].min(axis=1),
            lines[:, 0::2].max(axis=1),
            lines[:, 1::2].max(axis=1),
        ]
    )


def displayed_rulings(found: PageObjects, frame: Frame) -> Boxes:
    """The rulings on the visible page, cut at its edges."""
    if not found.rulings:
        return np.zeros((0, 4))
    boxes = frame.display(np.concatenate(found.rulings))
    inside = (
        (boxes[:, 2] > 0)
        & (boxes[:, 3] > 0)
        & (boxes[:, 0] < frame.width)
        & (boxes[:, 1] < frame.height)
    )
    return boxes[inside].clip(0, [frame.width, frame.height, frame.width, frame.height])


def image_cover(found: PageObjects, frame: Frame) -> float:
    """Share of the visible page that lies under images, to one part in a few thousand."""
    if not found.images or frame.width <= 0 or frame.height <= 0:
        return 0.0
    boxes = frame.display(np.concatenate(found.images))
    cells = np.zeros((_GRID, _GRID), np.bool_)
    scale = np.array([_GRID / frame.width, _GRID / frame.height] * 2)
    edges = np.nan_to_num((boxes * scale).round().clip(0, _GRID)).astype(int)
    for x0, y0, x1, y1 in edges.tolist():
        cells[y0:y1, x0:x1] = True
    return float(cells.mean())
