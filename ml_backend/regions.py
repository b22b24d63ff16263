"""Extracted values → the result of a Label Studio prediction. Pure.

One region per value: a rectangle with the field as its label, and a transcription that shares its id. A value
of several pieces is shown by one rectangle around the pieces of its first page. The region ids are those of
the rows in ``extraction_values``, so that a correction finds what it corrects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from db.regions import Box, PageSize, Region, write_region


@dataclass(frozen=True)
class Sheet:
    """A page as Label Studio shows it: points as displayed, and the pixels of its image."""

    size: PageSize
    pixels: tuple[int, int]


class Placed(Protocol):
    """What is shown of a value: a row of ``extraction_values`` or one about to be."""

    @property
    def region_id(self) -> str: ...
    @property
    def field(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def page(self) -> int: ...
    @property
    def spans(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True)
class Prediction:
    """``score``: the lowest confidence among the values, 0 without any; Label Studio orders tasks by it."""

    result: list[dict[str, Any]]
    score: float


def prediction_of(
    values: Sequence[Placed], sheets: Sequence[Sheet], *, known: Sequence[str] | None = None
) -> Prediction:
    """The prediction that shows these values.

    ``known``: the labels of the project now. A value of a field that has been removed is left out, because
    Label Studio would store a region nobody can select.
    """
    result: list[dict[str, Any]] = []
    scores: list[float] = []
    for value in values:
        if value.page >= len(sheets) or (known is not None and value.field not in known):
            continue
        sheet = sheets[value.page]
        box = _around([span["box"] for span in value.spans if span["page"] == value.page])
        region = Region(
            id=value.region_id,
            field=value.field,
            page=value.page,
            box=box,
            text=value.text,
            kind="rectanglelabels",
            score=round(value.confidence, 4),
        )
        result += write_region(region, sheet.size, sheet.pixels)
        scores.append(value.confidence)
    return Prediction(result, round(min(scores), 4) if scores else 0.0)


def _around(boxes: Sequence[Sequence[float]]) -> Box:
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
