"""A box a reviewer has just drawn → the snapped box and its text. Pure.

Label Studio sends every region of the same label on all pages; the new one is the last rectangle without a
transcription. Only that one is answered: answering the others would draw them twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from db.regions import Region, to_points, write_region
from db.words import Box, PageWords, snap
from ml_backend.extraction.checkbox import CHECKED, UNCHECKED
from ml_backend.extraction.fields import FieldSpec, FieldType
from ml_backend.extraction.ink import darkness
from ml_backend.regions import Sheet

PREFIX = "ia-"
"""Marks regions that were drawn with our help; Label Studio keeps nothing else of an answer but its id."""
SIGNED = "signed"
_MARKED = 0.12


def drawn(result: Sequence[Any]) -> Mapping[str, Any] | None:
    """The rectangle that waits for its text, None if there is none."""
    entries = [entry for entry in result if isinstance(entry, dict)]
    transcribed = {e.get("id") for e in entries if e.get("type") == "textarea"}
    waiting = [
        entry
        for entry in entries
        if entry.get("type") in {"rectanglelabels", "rectangle"}
        and isinstance(entry.get("value"), dict)
        and entry.get("id") not in transcribed
    ]
    return waiting[-1] if waiting else None


def answer(
    entry: Mapping[str, Any],
    pages: Sequence[PageWords],
    sheets: Sequence[Sheet],
    types: Mapping[str, FieldType],
) -> list[dict[str, Any]]:
    """The result for a drawn rectangle: its box around the words under it, and their text.

    It carries no score: Label Studio sorts regions by it, and what was just drawn belongs on top.
    Where no word stands the box stays as drawn; a checkbox answers by its ink, a signature by being there.
    A box on a page that is not known gives an empty result.
    """
    index = entry.get("item_index") or 0
    if type(index) is not int or not 0 <= index < min(len(pages), len(sheets)):
        return []
    page, sheet = pages[index], sheets[index]
    value = entry["value"]
    try:
        box = to_points(value, sheet.size)
    except ValueError:
        return []
    labels = value.get("rectanglelabels")
    field = str(labels[0]) if isinstance(labels, list) and labels else None
    kind = types.get(field or "")
    tight, text = snap(page, box)
    if kind is FieldType.SIGNATURE:
        tight, text = None, SIGNED
    elif kind is FieldType.CHECKBOX and not text:
        text = _tick(page, box)
    region = Region(
        id=f"{PREFIX}{entry.get('id') or uuid.uuid4().hex[:10]}"[:60],
        field=field,
        page=index,
        box=tight or box,
        text=text,
        kind="rectanglelabels",
    )
    return write_region(region, sheet.size, sheet.pixels)


def types_of(specs: Sequence[FieldSpec]) -> dict[str, FieldType]:
    """Label → type of its field, columns of tables included."""
    types: dict[str, FieldType] = {}
    for spec in specs:
        types[spec.name] = spec.type
        types |= {f"{spec.name}.{column.name}": column.type for column in spec.columns}
    return types


def _tick(page: PageWords, box: Box) -> str:
    dark = darkness(page, box)
    if dark is None:
        return ""
    return CHECKED if dark >= _MARKED else UNCHECKED
