"""The values everyone exchanges, and the geometry under them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml_backend.extraction.errors import ExtractionError, UnknownField
from ml_backend.extraction.fields import (
    FieldSpec,
    FieldType,
    spec_from_dict,
    spec_to_dict,
    split_column,
)
from ml_backend.extraction.geometry import box_of, iou, lay_out, same_line, union, words_in
from tests.extraction.pages import page, words_at


def test_a_specification_survives_json() -> None:
    spec = FieldSpec(
        "item",
        FieldType.TABLE,
        label_pt="Itens",
        aliases=("Produtos",),
        columns=(FieldSpec("amount", FieldType.NUMBER, format=",", required=True),),
    )
    assert spec_from_dict(json.loads(json.dumps(spec_to_dict(spec)))) == spec


def test_columns_are_named_after_their_table() -> None:
    assert split_column("item.amount") == ("item", "amount")
    assert split_column("total") == ("total", None)


def test_an_unknown_field_names_the_known_ones() -> None:
    error = UnknownField("totl", ("total", "date"))
    assert isinstance(error, ExtractionError)
    assert "'totl'" in str(error)
    assert "total, date" in str(error)


def test_boxes() -> None:
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0.0
    assert union([(0, 1, 2, 3), (1, 0, 5, 2)]) == (0, 0, 5, 3)
    assert same_line((0, 0, 5, 10), (9, 3, 12, 12))
    assert not same_line((0, 0, 5, 10), (9, 8, 12, 18))


def test_words_under_a_box_and_their_box() -> None:
    made = page(words_at(10, 10, "one two"), words_at(10, 30, "three"))
    assert words_in(made, (0, 5, 200, 22)).tolist() == [0, 1]
    assert words_in(made, (300, 300, 310, 310)).tolist() == []
    assert box_of(made, [0, 1]) == (10.0, 10.0, 43.0, 20.0)
    with pytest.raises(ValueError, match="no words"):
        box_of(made, [])


def test_lines_and_segments_come_in_reading_order() -> None:
    made = page(words_at(300, 12, "right"), words_at(10, 10, "left side"), words_at(10, 40, "next"))
    layout = lay_out(made.boxes)
    assert [made.texts[i] for i in layout.order] == ["left", "side", "right", "next"]
    assert [len(line) for line in layout.lines] == [3, 1]
    assert [len(segment) for segment in layout.segments] == [2, 1, 1]
    empty = lay_out(np.zeros((0, 4), np.float32))
    assert empty.lines == ()
