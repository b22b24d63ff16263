"""Values as a model gives them → rows of the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from db.extractions import ValueRow, region_id
from db.json_values import storable
from ml_backend.extraction.fields import Extraction, Span

MOST_ALTERNATIVES = 3


def to_rows(extraction: Extraction, model_version: str) -> list[ValueRow]:
    """The values of an extraction as rows; a value without a place is left out, it cannot be shown."""
    placed = [value for value in extraction.values if value.spans]
    return [
        ValueRow(
            region_id=region_id(model_version, position),
            field=value.field,
            row=value.row,
            text=storable(value.text),
            normalised=None if value.normalised is None else storable(value.normalised),
            problem=value.problem,
            page=value.spans[0].page,
            spans=_spans(value.spans),
            confidence=float(value.confidence),
            filled=value.filled,
            alternatives=[
                {
                    "text": storable(other.text),
                    "spans": _spans(other.spans),
                    "confidence": float(other.confidence),
                }
                for other in value.alternatives[:MOST_ALTERNATIVES]
            ],
        )
        for position, value in enumerate(placed)
    ]


def _spans(spans: Sequence[Span]) -> list[dict[str, Any]]:
    return [
        {"page": span.page, "box": [round(float(number), 2) for number in span.box]}
        for span in spans
    ]
