"""A state of an annotation → one row per field value, and what changed since the state before. Pure.

A region without text gets the words under its box, marked as read from the page. Each value is compared with
the prediction the reviewer started from: accepted, corrected, added; what was predicted and is gone is removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from db.models import ValueOutcome
from db.regions import Box, PageSize, Reading, Region, read_result, table_rows
from db.words import PageWords
from sync.states import State

# A box that the browser rounded is not a box that somebody moved.
SAME_PLACE = 1.0
"""Points."""
FROM_REVIEWER, FROM_PAGE, FROM_NOWHERE = "reviewer", "page", "none"
MOST_CHANGES = 500
"""Differences kept per event; a result of ten thousand regions has no use for more."""


class FieldReader(Protocol):
    """What the types of the fields mean; given from above, because the services do not know each other."""

    @property
    def names(self) -> frozenset[str]:
        """Every label of the schema."""

    def normalise(self, field: str, text: str) -> tuple[str | None, str | None]:
        """The canonical spelling and None, or None and why there is none."""

    def text_in(self, field: str, page: PageWords, box: Box) -> str:
        """What stands in a box drawn for this field; "" if nothing does."""


class Predicted(msgspec.Struct, frozen=True):
    """A value as the model had read it."""

    region_id: str
    field: str
    row: int | None
    text: str
    page: int
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class Context:
    """What a state is read against."""

    pages: Sequence[PageSize] = ()
    words: Mapping[int, PageWords] = field(default_factory=dict)
    predicted: Mapping[str, Predicted] = field(default_factory=dict)
    """By region id; empty where the reviewer started from nothing."""


class Value(msgspec.Struct, frozen=True):
    """A row of ``annotation_values``."""

    region_id: str
    field: str
    row: int | None
    text: str | None
    text_source: str
    normalised: str | None
    problem: str | None
    page: int
    box: Box
    outcome: ValueOutcome
    predicted_text: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """All that a state says."""

    values: tuple[Value, ...]
    status: str | None
    absent: tuple[str, ...]
    notes: str | None
    problems: tuple[str, ...]


def understand(state: State, context: Context, reader: FieldReader) -> Understood:
    """The values of a state. What has no label has no value; ``problems`` says so."""
    names = reader.names
    reading = read_result(state.result, context.pages, fields=names)
    rows = table_rows(reading.regions)
    values = [
        _value(region, rows.get(region.id), context, reader, names)
        for region in reading.regions
        if region.field is not None
    ]
    if not state.was_cancelled:
        kept = {region.id for region in reading.regions}
        values += [
            _removed(predicted)
            for predicted in context.predicted.values()
            if predicted.region_id not in kept
        ]
    return Understood(
        values=tuple(values),
        status=reading.status,
        absent=reading.absent,
        notes=reading.notes,
        problems=(*state.problems, *reading.problems),
    )


def needs_words(state: State) -> bool:
    """Whether a region of this state has no text of its own."""
    with_text = set()
    boxes = set()
    for entry in state.result:
        if isinstance(entry, dict):
            if entry.get("type") == "textarea":
                with_text.add(str(entry.get("id")))
            elif entry.get("type") in {"rectanglelabels", "rectangle"}:
                boxes.add(str(entry.get("id")))
    return not boxes <= with_text


def _value(
    region: Region,
    row: int | None,
    context: Context,
    reader: FieldReader,
    names: frozenset[str],
) -> Value:
    name = region.field or ""
    text, source = _text(region, name, context, reader)
    normalised, problem = (None, None)
    if name in names and text is not None:
        normalised, problem = reader.normalise(name, text)
    predicted = context.predicted.get(region.id)
    outcome = ValueOutcome.ADDED
    if predicted is not None:
        same = _same(predicted, region, name, text)
        outcome = ValueOutcome.ACCEPTED if same else ValueOutcome.CORRECTED
    return Value(
        region.id,
        name,
        row,
        text,
        source,
        normalised,
        problem,
        region.page,
        region.box,
        outcome,
        predicted.text if predicted else None,
        predicted.confidence if predicted else None,
    )


def _text(
    region: Region, name: str, context: Context, reader: FieldReader
) -> tuple[str | None, str]:
    if region.text is not None:
        return region.text, FROM_REVIEWER
    page = context.words.get(region.page)
    found = reader.text_in(name, page, region.box) if page is not None else ""
    return (found, FROM_PAGE) if found else (None, FROM_NOWHERE)


def _same(predicted: Predicted, region: Region, name: str, text: str | None) -> bool:
    return (
        predicted.field == name
        and predicted.text.strip() == (text or "").strip()
        and predicted.page == region.page
        and _near(predicted.box, region.box)
    )


def _near(one: Box, other: Box) -> bool:
    return all(abs(a - b) <= SAME_PLACE for a, b in zip(one, other, strict=True))


def _removed(predicted: Predicted) -> Value:
    return Value(
        region_id=predicted.region_id,
        field=predicted.field,
        row=predicted.row,
        text=None,
        text_source=FROM_NOWHERE,
        normalised=None,
        problem=None,
        page=predicted.page,
        box=predicted.box,
        outcome=ValueOutcome.REMOVED,
        predicted_text=predicted.text,
        confidence=predicted.confidence,
    )


def around(spans: Sequence[Mapping[str, Any]], page: int) -> Box:
    """The box around the pieces of a value on its first page, as the prediction shows it."""
    boxes = [span["box"] for span in spans if span.get("page") == page] or [(0.0, 0.0, 0.0, 0.0)]
    return (
        min(float(box[0]) for box in boxes),
        min(float(box[1]) for box in boxes),
        max(float(box[2]) for box in boxes),
        max(float(box[3]) for box in boxes),
    )


def differences(before: Reading, after: Reading) -> list[dict[str, Any]]:
    """[{region_id, field, change, before, after}] between two states of one annotation.

    ``change``: added, removed, field, text or place of a region; status, absent or notes of the whole.
    """
    old = {region.id: region for region in before.regions}
    new = {region.id: region for region in after.regions}
    found: list[dict[str, Any]] = []
    for key, region in new.items():
        if key not in old:
            found.append(_change(key, region.field, "added", None, region.text))
            continue
        was = old[key]
        if was.field != region.field:
            found.append(_change(key, region.field, "field", was.field, region.field))
        if was.text != region.text:
            found.append(_change(key, region.field, "text", was.text, region.text))
        if was.page != region.page or not _near(was.box, region.box):
            found.append(_change(key, region.field, "place", _place(was), _place(region)))
    found += [
        _change(key, region.field, "removed", region.text, None)
        for key, region in old.items()
        if key not in new
    ]
    for name in ("status", "absent", "notes"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            found.append(_change(None, None, name, _plain(one), _plain(other)))
    return found[:MOST_CHANGES]


def _change(
    region_id: str | None, name: str | None, change: str, before: Any, after: Any
) -> dict[str, Any]:
    return {
        "region_id": region_id,
        "field": name,
        "change": change,
        "before": before,
        "after": after,
    }


def _place(region: Region) -> dict[str, Any]:
    return {"page": region.page, "box": [round(side, 2) for side in region.box]}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
