"""The vocabulary of extraction: what is asked for, what a reviewer answered, what a model answers.

Boxes are (x0, y0, x1, y1) in points, origin at the top left of the page as displayed; pages are
0-based. Everything here is a plain value: no reader, no model, no record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[float, float, float, float]


class FieldType(StrEnum):
    """What kind of value a field holds; decides how it is found and how it is normalised."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    IDENTIFIER = "identifier"
    CHECKBOX = "checkbox"
    SIGNATURE = "signature"
    TABLE = "table"


@dataclass(frozen=True)
class FieldSpec:
    """One field of a project's schema.

    `format` is the order of a date's parts ("YMD", "MDY", "DMY") or the decimal sign of a number
    ("." or ","); None leaves it to the text. `columns` belongs to tables: the values of a column
    are named "table.column".
    """

    name: str
    type: FieldType
    label_en: str = ""
    label_pt: str = ""
    aliases: tuple[str, ...] = ()
    format: str | None = None
    required: bool = False
    multiple: bool = False
    columns: tuple[FieldSpec, ...] = ()


class PageLike(Protocol):
    """A page of words as the reader stores it.

    n words: `boxes` (n, 4) points, `fonts` (n,) indices into `font_names`, `sizes` (n,) points,
    `sources` (n,) codes of where the word came from, `confidences` (n,) 0..1. `rulings` (m, 4) are
    thin lines and rectangle edges in points. `ink` is the share of dark pixels, 0..255, in cells
    of 2 points (row 0 at the top), None where the page was not rendered.
    """

    @property
    def number(self) -> int: ...
    @property
    def width(self) -> float: ...
    @property
    def height(self) -> float: ...
    @property
    def texts(self) -> tuple[str, ...]: ...
    @property
    def boxes(self) -> NDArray[np.float32]: ...
    @property
    def font_names(self) -> tuple[str, ...]: ...
    @property
    def fonts(self) -> NDArray[np.uint16]: ...
    @property
    def sizes(self) -> NDArray[np.float32]: ...
    @property
    def sources(self) -> NDArray[np.uint8]: ...
    @property
    def confidences(self) -> NDArray[np.float32]: ...
    @property
    def rulings(self) -> NDArray[np.float32]: ...
    @property
    def image_cover(self) -> float: ...
    @property
    def ink(self) -> NDArray[np.uint8] | None: ...


@dataclass(frozen=True)
class Document:
    """A document's pages, in order; `id` is only carried through to the answer."""

    id: str
    pages: Sequence[PageLike]


@dataclass(frozen=True)
class Label:
    """One value a reviewer marked. `field` is "total", or "item.amount" for a table's column.

    `row` (0-based within the document) is None where the reviewer's tool cannot say it: rows then
    follow from the boxes' vertical positions.
    """

    field: str
    page: int
    box: Box
    text: str | None = None
    row: int | None = None


@dataclass(frozen=True)
class Labels:
    """All a reviewer said about one document.

    `absent` are the fields declared not to be in the document. With `complete` False, a field
    without a label is unknown rather than absent.
    """

    labels: tuple[Label, ...]
    absent: frozenset[str] = frozenset()
    complete: bool = True


@dataclass(frozen=True)
class Span:
    """Where a value, or one piece of it, stands."""

    page: int
    box: Box


@dataclass(frozen=True)
class Alternative:
    """A reading of a field that lost against the value given."""

    text: str
    spans: tuple[Span, ...]
    confidence: float


@dataclass(frozen=True)
class Value:
    """One answered value.

    `problem` says in a sentence why `normalised` is None. `filled` False: a suggestion below the
    level at which values are filled in unseen. `row` is the 0-based row of a table's value.
    """

    field: str
    text: str
    normalised: str | None
    problem: str | None
    spans: tuple[Span, ...]
    confidence: float
    row: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    filled: bool = True


@dataclass(frozen=True)
class Extraction:
    """What a model found in one document; `absent`: field → confidence that it is not there."""

    document_id: str
    values: tuple[Value, ...]
    absent: Mapping[str, float] = field(default_factory=dict)


def split_column(name: str) -> tuple[str, str | None]:
    """("item", "amount") of "item.amount", ("total", None) of "total"."""
    table, dot, column = name.partition(".")
    return (table, column) if dot else (name, None)


def spec_to_dict(spec: FieldSpec) -> dict[str, Any]:
    """A field's specification as plain JSON values; `spec_from_dict` is its inverse."""
    return {
        "name": spec.name,
        "type": spec.type.value,
        "label_en": spec.label_en,
        "label_pt": spec.label_pt,
        "aliases": list(spec.aliases),
        "format": spec.format,
        "required": spec.required,
        "multiple": spec.multiple,
        "columns": [spec_to_dict(column) for column in spec.columns],
    }


def spec_from_dict(state: Mapping[str, Any]) -> FieldSpec:
    """The specification `spec_to_dict` wrote."""
    return FieldSpec(
        name=state["name"],
        type=FieldType(state["type"]),
        label_en=state["label_en"],
        label_pt=state["label_pt"],
        aliases=tuple(state["aliases"]),
        format=state["format"],
        required=state["required"],
        multiple=state["multiple"],
        columns=tuple(spec_from_dict(column) for column in state["columns"]),
    )
