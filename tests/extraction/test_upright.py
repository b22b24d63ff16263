from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Document, FieldSpec, FieldType
from ml_backend.extraction.geometry import iou
from ml_backend.extraction.upright import quarter_turns, upright
from ml_backend.extraction.zero_shot import ZeroShotExtractor
from tests.extraction.forms import FIELDS, Form, form


def sideways_box(box, page, upwards: bool):
    """A box after the sheet was turned so that its text runs up, or down."""
    x0, y0, x1, y1 = (float(edge) for edge in box)
    if upwards:
        return (y0, page.width - x1, y1, page.width - x0)
    return (page.height - y1, x0, page.height - y0, x1)


def sideways(made: Form, upwards: bool) -> Form:
    (page,) = made.document.pages
    boxes = [sideways_box(box, page, upwards) for box in page.boxes]
    turned = SimpleNamespace(
        **{
            **vars(page),
            "width": page.height,
            "height": page.width,
            "boxes": np.asarray(boxes, dtype=np.float32),
        }
    )
    labels = tuple(
        replace(label, box=sideways_box(label.box, page, upwards)) for label in made.labels.labels
    )
    document = Document(f"{made.document.id}-sideways", (turned,))
    return Form(document, replace(made.labels, labels=labels), made.truth)


@pytest.mark.parametrize("upwards", [True, False])
def test_a_page_on_its_side_is_turned_and_put_back(upwards):
    made = form(3)
    turned = upright(sideways(made, upwards).document).pages[0]
    (page,) = made.document.pages
    assert (turned.width, turned.height) == (page.width, page.height)
    np.testing.assert_allclose(turned.boxes, page.boxes, atol=1e-3)
    box = (100.0, 50.0, 130.0, 59.0)
    assert turned.put_back(box) == pytest.approx(sideways_box(box, page, upwards))
    assert turned.placed(turned.put_back(box)) == pytest.approx(box)


def test_an_upright_document_is_left_alone():
    document = form(1).document
    assert upright(document) is document


def test_a_few_tall_words_turn_nothing():
    made = sideways(form(1), True).document.pages[0]
    few = SimpleNamespace(**{**vars(made), "texts": made.texts[:5], "boxes": made.boxes[:5]})
    assert quarter_turns(few) == 0


@pytest.mark.parametrize("upwards", [True, False])
def test_values_on_a_sideways_page_are_learnt_and_found_where_they_stand(upwards):
    forms = [form(seed) for seed in range(8)]
    forms += [sideways(form(seed), upwards) for seed in range(8, 14)]
    extractor = FieldExtractor(FIELDS).fit([f.document for f in forms], [f.labels for f in forms])
    asked = sideways(form(100), upwards)
    values = {value.field: value for value in extractor.predict([asked.document])[0].values}
    assert {name: value.text for name, value in values.items()} == asked.truth
    for label in asked.labels.labels:
        assert iou(values[label.field].spans[0].box, label.box) > 0.9


def test_labels_are_read_on_a_sideways_page_without_examples():
    asked = sideways(form(5), True)
    specs = (FieldSpec("total", FieldType.NUMBER),)
    (value,) = ZeroShotExtractor(specs).predict([asked.document])[0].values
    assert value.text == asked.truth["amount"]
    (wanted,) = [label.box for label in asked.labels.labels if label.field == "amount"]
    assert iou(value.spans[0].box, wanted) > 0.9
