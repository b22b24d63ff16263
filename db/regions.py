"""Label Studio's result JSON ⇄ plain regions, percent ⇄ points. Pure, and total: no input raises.

A result is a flat list; what belongs to one region shares its ``id``. It is read by ``type`` and
``from_name``, never by which keys a value happens to have: on pages the reviewer never opened Label
Studio writes ``rectanglelabels`` into the textarea's value as well.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

LABEL: Final = "label"
TEXT: Final = "text"
STATUS: Final = "status"
ABSENT: Final = "absent"
NOTES: Final = "notes"
IMAGE: Final = "img"

Box = tuple[float, float, float, float]

# Largest region id kept; Label Studio's own have ten characters.
MAX_ID = 200
# Pages without a known size are taken to be rendered at this many dots per inch.
ASSUMED_DPI = 150.0
_WIDE = 2**63


# A record of a million states is read a region at a time: a Struct is made in a tenth of a dataclass' time.
class PageSize(msgspec.Struct, frozen=True):
    """Points, as displayed."""

    width: float
    height: float


class Region(msgspec.Struct, frozen=True):
    """One rectangle of a result with its label and text. ``box`` is in points of the displayed page."""

    id: str
    field: str | None
    page: int
    box: Box
    text: str | None
    kind: str
    origin: str | None = None
    score: float | None = None
    rotation: float = 0.0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything a result says. ``text`` None: the region has none; "": the reviewer emptied it."""

    regions: tuple[Region, ...] = ()
    status: str | None = None
    absent: tuple[str, ...] = ()
    notes: str | None = None
    problems: tuple[str, ...] = ()


def to_points(value: dict[str, Any], page: PageSize) -> Box:
    """A region's x, y, width, height in percent as a box in points, clipped to the page.

    A rotated rectangle becomes the upright box around it; Label Studio turns it clockwise by
    ``rotation`` degrees about its top left corner. Raises ValueError for what is not a finite number.
    """
    x, y = _finite(value.get("x")), _finite(value.get("y"))
    width, height = _finite(value.get("width")), _finite(value.get("height"))
    if x is None or y is None or width is None or height is None:
        raise ValueError("x, y, width and height must be finite numbers")
    left, top = x / 100 * page.width, y / 100 * page.height
    across, down = width / 100 * page.width, height / 100 * page.height
    rotation = value.get("rotation")
    angle = math.radians(_finite(rotation) or 0.0) if rotation else 0.0
    if not angle:
        right, bottom = left + across, top + down
        if 0.0 <= left <= right <= page.width and 0.0 <= top <= bottom <= page.height:
            return left, top, right, bottom  # as nearly all are
        return (
            _clip(min(left, right), page.width),
            _clip(min(top, bottom), page.height),
            _clip(max(left, right), page.width),
            _clip(max(top, bottom), page.height),
        )
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [
        (left + dx * cos - dy * sin, top + dx * sin + dy * cos)
        for dx, dy in ((0.0, 0.0), (across, 0.0), (0.0, down), (across, down))
    ]
    xs, ys = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return (
        _clip(min(xs), page.width),
        _clip(min(ys), page.height),
        _clip(max(xs), page.width),
        _clip(max(ys), page.height),
    )


def to_percent(box: Box, page: PageSize) -> dict[str, float]:
    """A box in points as Label Studio's x, y, width, height in percent of the page."""
    x0, y0, x1, y1 = box
    return {
        "x": x0 / page.width * 100,
        "y": y0 / page.height * 100,
        "width": (x1 - x0) / page.width * 100,
        "height": (y1 - y0) / page.height * 100,
    }


def write_region(region: Region, page: PageSize, pixels: tuple[int, int]) -> list[dict[str, Any]]:
    """The result entries of one region: rectangle and, if it has a text, transcription. ``pixels``: page image."""
    shared: dict[str, Any] = {
        "id": region.id,
        "to_name": IMAGE,
        "item_index": region.page,
        "original_width": pixels[0],
        "original_height": pixels[1],
        "image_rotation": 0,
    }
    if region.score is not None:
        shared["score"] = region.score
    place = {**to_percent(region.box, page), "rotation": 0}
    labels = [] if region.field is None else [region.field]
    entries = [
        {
            **shared,
            "from_name": LABEL,
            "type": "rectanglelabels",
            "value": {**place, "rectanglelabels": labels},
        }
    ]
    if region.text is not None:
        entries.append(
            {
                **shared,
                "from_name": TEXT,
                "type": "textarea",
                "value": {**place, "text": [region.text]},
            }
        )
    return entries


def read_result(
    result: Any, pages: Sequence[PageSize], *, fields: Collection[str] | None = None
) -> Reading:
    """Regions, choices and notes of a result, with a sentence for whatever could not be understood.

    ``fields``: the schema's names; a region with another label is kept and explained. None: any label.
    """
    if not isinstance(result, list):
        return Reading(problems=("The result is not a list; nothing was read from it.",))
    rectangles: dict[str, dict[str, Any]] = {}
    texts: dict[str, tuple[str, dict[str, Any]]] = {}
    status: str | None = None
    absent: list[str] = []
    notes: str | None = None
    problems: list[str] = []
    for position, entry in enumerate(result):
        value = entry.get("value") if isinstance(entry, dict) else None
        if not isinstance(value, dict):
            problems.append(f"Entry {position} of the result has no value.")
            continue
        kind, name = str(entry.get("type")), entry.get("from_name")
        key = str(entry.get("id") or f"entry-{position}")[:MAX_ID]
        if kind in {"rectanglelabels", "rectangle"}:
            if key in rectangles:
                problems.append(f"Region {key} stands twice in the result; the last one counts.")
            rectangles[key] = entry
        elif kind == "textarea" and name == NOTES:
            notes = _joined(value.get("text"))
        elif kind == "textarea":
            texts[key] = (_joined(value.get("text")) or "", entry)
        elif kind == "choices" and name == STATUS:
            status = next(iter(_strings(value.get("choices"))), None)
        elif kind == "choices" and name == ABSENT:
            absent.extend(item for item in _strings(value.get("choices")) if item not in absent)
        elif kind != "labels":
            problems.append(f"Entry {position} has the type {kind!r}, which has no meaning here.")
    regions = [
        _region(key, entry, texts.get(key, (None, None))[0], pages, fields)
        for key, entry in rectangles.items()
    ]
    for key, (text, entry) in texts.items():
        if key not in rectangles:
            regions.append(_region(key, entry, text, pages, fields))
    problems.extend(problem for region in regions for problem in region.problems)
    return Reading(tuple(regions), status, tuple(absent), notes, tuple(problems))


def _region(
    key: str,
    entry: dict[str, Any],
    text: str | None,
    pages: Sequence[PageSize],
    fields: Collection[str] | None,
) -> Region:
    value, kind = entry["value"], str(entry["type"])
    problems: list[str] = []
    # The labels of a textarea are a quirk of unopened pages, not a statement of their own.
    labels = _strings(value.get("rectanglelabels")) if kind == "rectanglelabels" else []
    field = labels[0] if labels else None
    if kind == "textarea":
        problems.append(f"Text {key} belongs to no region.")
    elif field is None:
        problems.append(f"Region {key} has no label.")
    elif fields is not None and field not in fields:
        problems.append(f"Region {key} has the label {field!r}, which the field schema lacks.")
    if len(labels) > 1:
        problems.append(f"Region {key} has several labels; the first one counts.")
    page, size = _page(key, entry, pages, problems)
    try:
        box = to_points(value, size)
    except ValueError:
        box = (0.0, 0.0, 0.0, 0.0)
        if kind != "textarea":
            problems.append(f"Region {key} has no usable place on the page.")
    else:
        if kind != "textarea" and (box[2] <= box[0] or box[3] <= box[1]):
            problems.append(f"Region {key} is empty or lies outside the page.")
    origin, score, rotation = entry.get("origin"), entry.get("score"), value.get("rotation")
    return Region(
        key,
        field,
        page,
        box,
        text,
        kind,
        origin if isinstance(origin, str) else None,
        None if score is None else _finite(score),
        (_finite(rotation) or 0.0) if rotation else 0.0,
        tuple(problems),
    )


def _page(
    key: str, entry: dict[str, Any], pages: Sequence[PageSize], problems: list[str]
) -> tuple[int, PageSize]:
    index = entry.get("item_index", 0)
    if index is None:
        index = 0
    if type(index) is not int or not 0 <= index < 100_000:
        problems.append(f"Region {key} names no page; page 1 was taken.")
        index = 0
    if index < len(pages):
        return index, pages[index]
    if pages:
        problems.append(f"Region {key} is on page {index + 1}; the document has {len(pages)}.")
    width, height = _finite(entry.get("original_width")), _finite(entry.get("original_height"))
    if width and height and 0 < width < 1e6 and 0 < height < 1e6:
        return index, PageSize(width * 72 / ASSUMED_DPI, height * 72 / ASSUMED_DPI)
    problems.append(f"The size of the page of region {key} is unknown; its box is in percent.")
    return index, PageSize(100.0, 100.0)


def table_rows(regions: Sequence[Region]) -> dict[str, int]:
    """Region id → row from 0, for regions whose field is ``table.column``, by vertical position.

    Two cells are in one row if they overlap vertically by half of the lower one; a second cell of the
    same column opens a row of its own.
    """
    rows: dict[str, int] = {}
    tables: dict[str, list[Region]] = {}
    for region in regions:
        if region.field is not None and "." in region.field:
            tables.setdefault(region.field.split(".", 1)[0], []).append(region)
    for cells in tables.values():
        row, page, top, bottom = -1, -1, 0.0, 0.0
        columns: set[str | None] = set()
        for cell in sorted(cells, key=lambda c: (c.page, (c.box[1] + c.box[3]) / 2, c.box[0])):
            overlap = min(bottom, cell.box[3]) - max(top, cell.box[1])
            height = min(bottom - top, cell.box[3] - cell.box[1])
            if cell.page != page or cell.field in columns or overlap < height / 2:
                row, page, columns = row + 1, cell.page, set()
                top, bottom = cell.box[1], cell.box[3]
            columns.add(cell.field)
            rows[cell.id] = row
    return rows


def _finite(value: Any) -> float | None:
    if isinstance(value, float):
        return value if -math.inf < value < math.inf else None
    if type(value) is int and -_WIDE < value < _WIDE:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _clip(value: float, limit: float) -> float:
    return min(max(value, 0.0), limit)


def _strings(value: Any) -> list[str]:
    if type(value) is list and len(value) == 1 and type(value[0]) is str:
        return value
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _joined(value: Any) -> str | None:
    parts = _strings(value)
    if len(parts) == 1:
        return parts[0]
    return "\n".join(parts) if parts else None
