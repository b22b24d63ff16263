"""What a document's page shows over its page images and beside them: boxes, values, history. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from db.extractions import ValueRow
from db.models import AnnotationValue, ExtractionValue
from ml_backend.extraction.fields import split_column

HIGH, MEDIUM = 0.8, 0.5


@dataclass(frozen=True)
class Box:
    """A rectangle on a page, in points."""

    page: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Shown:
    """One value of a layer. ``key`` joins its boxes and its row on the page."""

    key: str
    field: str
    row: int | None
    text: str
    normalised: str | None
    problem: str | None
    page: int
    boxes: Sequence[Box]
    confidence: float | None
    level: str
    filled: bool = True
    outcome: str | None = None
    predicted: str | None = None
    alternatives: Sequence[Mapping[str, Any]] = ()

    @property
    def reads_as(self) -> str | None:
        """The normalised value where it says more than the text."""
        return self.normalised if self.normalised not in (None, "", self.text) else None


@dataclass(frozen=True)
class Layer:
    """One thing to show: a prediction or a review. ``absent``: field → how sure, None: a reviewer said so."""

    key: str
    kind: str
    who: str
    at: datetime | None
    values: Sequence[Shown] = ()
    absent: Mapping[str, float | None] = field(default_factory=dict)
    deleted: bool = False

    def on(self, page: int) -> list[tuple[Shown, Box]]:
        """The boxes on a page with their values."""
        return self._by_page.get(page, [])

    @cached_property
    def _by_page(self) -> dict[int, list[tuple[Shown, Box]]]:
        found: dict[int, list[tuple[Shown, Box]]] = {}
        for value in self.values:
            for box in value.boxes:
                found.setdefault(box.page, []).append((value, box))
        return found


def level(confidence: float | None) -> str:
    """high, medium or low; "said" where a person gave the value."""
    if confidence is None:
        return "said"
    return "high" if confidence >= HIGH else "medium" if confidence >= MEDIUM else "low"


def predicted(rows: Iterable[ExtractionValue | ValueRow]) -> list[Shown]:
    return [
        Shown(
            key=f"v{number}",
            field=row.field,
            row=row.row,
            text=row.text,
            normalised=row.normalised,
            problem=row.problem,
            page=row.page,
            boxes=[_box(span["page"], span["box"]) for span in row.spans],
            confidence=row.confidence,
            level=level(row.confidence),
            filled=row.filled,
            alternatives=row.alternatives,
        )
        for number, row in enumerate(rows)
    ]


def reviewed(rows: Iterable[AnnotationValue]) -> list[Shown]:
    return [
        Shown(
            key=f"v{number}",
            field=row.field,
            row=row.row,
            text=row.text or "",
            normalised=row.normalised,
            problem=row.problem,
            page=row.page,
            boxes=[]
            if row.outcome.value == "removed"
            else [_box(row.page, (row.x0, row.y0, row.x1, row.y1))],
            confidence=None,
            level="said",
            outcome=row.outcome.value,
            predicted=row.predicted_text,
        )
        for number, row in enumerate(rows)
    ]


def _box(page: int, box: Sequence[float]) -> Box:
    x0, y0, x1, y1 = box
    # A little room, so that the line does not run through the letters.
    return Box(page, x0 - 1.5, y0 - 1.5, max(x1 - x0, 1.0) + 3, max(y1 - y0, 1.0) + 3)


@dataclass(frozen=True)
class FieldGroup:
    """A field of the schema, or one a value names though the schema no longer has it, with its values."""

    name: str
    required: bool
    values: Sequence[Shown]


@dataclass(frozen=True)
class TableGroup:
    """A table: its columns, and per row the values of each column."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Sequence[Shown]]]


def grouped(
    values: Sequence[Shown], fields: Sequence[tuple[str, str, bool]]
) -> tuple[list[FieldGroup], list[TableGroup]]:
    """The values by field in schema order, and by table, column and row.

    ``fields``: (name, type, required) of the schema in screen order, columns as "table.column".
    """
    by_name: dict[str, list[Shown]] = {}
    for value in values:
        by_name.setdefault(value.field, []).append(value)
    names = list(
        dict.fromkeys([name for name, kind, _ in fields if kind != "table"] + list(by_name))
    )
    required = {name: needed for name, _, needed in fields}
    plain = [
        FieldGroup(name, required.get(name, False), by_name.get(name, []))
        for name in names
        if split_column(name)[1] is None
    ]
    tables: list[TableGroup] = []
    for table in dict.fromkeys(t for t, column in map(split_column, names) if column is not None):
        columns = [name for name in names if split_column(name)[0] == table and "." in name]
        rows: dict[int, dict[str, list[Shown]]] = {}
        for column in columns:
            for value in by_name.get(column, []):
                rows.setdefault(value.row if value.row is not None else -1, {}).setdefault(
                    column, []
                ).append(value)
        if rows:
            tables.append(TableGroup(table, columns, [rows[number] for number in sorted(rows)]))
    return plain, tables
