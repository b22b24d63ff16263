"""Ticked or not: by signs, brackets, fonts of signs, drawn squares and ink."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ml_backend.extraction.checkbox import CheckboxModel, find_ticks
from ml_backend.extraction.fields import Box, Document, FieldSpec, FieldType, Label, Labels
from tests.extraction.pages import Page, document, page, words_at

PAID = FieldSpec("paid", FieldType.CHECKBOX, label_en="Paid in full", label_pt="Pago")


def answer(made: Document, model: CheckboxModel | None = None) -> list[str | None]:
    return [v.normalised for v in (model or CheckboxModel(PAID)).predict(made)]


@pytest.mark.parametrize(
    ("sign", "state"),
    [
        ("☑", "true"),
        ("☒", "true"),
        ("☐", "false"),
        ("[x]", "true"),
        ("[ ]", "false"),
        ("[]", "false"),
    ],
)
def test_signs_before_the_label(sign: str, state: str) -> None:
    made = document(page(words_at(40, 40, f"{sign} Paid in full"), words_at(40, 60, "☐ Other")))
    assert answer(made) == [state]


def test_letters_of_a_sign_font() -> None:
    ticked = page(words_at(40, 40, "þ"), font="Wingdings")
    assert [t.on for t in find_ticks(ticked)] == [True]
    assert find_ticks(page(words_at(40, 40, "þ"))) == []


def test_yes_and_no_after_the_label() -> None:
    made = document(page(words_at(40, 40, "Pago: ☐ Sim ☒ Não")))
    assert answer(made) == ["false"]


def drawn(x: float, y: float, ticked: bool) -> Page:
    box: Box = (x, y, x + 12, y + 12)
    edges = [
        (x, y, x + 12, y), (x, y + 12, x + 12, y + 12),
        (x, y, x, y + 12), (x + 12, y, x + 12, y + 12),
    ]  # fmt: skip
    ink = np.zeros((396, 306), np.uint8)
    if ticked:
        ink[
            int(box[1] // 2) + 1 : int(box[3] // 2) - 1, int(box[0] // 2) + 1 : int(box[2] // 2) - 1
        ] = 120
    return page(words_at(x + 18, y, "Approved by the board"), rulings=edges, ink=ink)


@pytest.mark.parametrize("ticked", [True, False])
def test_a_drawn_square_is_read_by_its_ink(ticked: bool) -> None:
    spec = FieldSpec("approved", FieldType.CHECKBOX)
    shown = [drawn(40 + 10 * i, 90 + 20 * i, i % 2 == 0) for i in range(4)]
    labels = [
        Labels((Label("approved", 0, (40 + 10 * i, 90 + 20 * i, 52 + 10 * i, 102 + 20 * i), "☑" if i % 2 == 0 else "☐"),))
        for i in range(4)
    ]  # fmt: skip
    model = CheckboxModel(spec).fit([document(p) for p in shown], labels)
    copy = CheckboxModel.from_state(json.loads(json.dumps(model.to_state())))
    made = document(drawn(200, 400, ticked))
    for one in (model, copy):
        values = one.predict(made)
        assert [v.normalised for v in values] == ["true" if ticked else "false"]
        assert values[0].spans[0].box == (200.0, 400.0, 212.0, 412.0)


def test_no_label_no_answer() -> None:
    assert answer(document(page(words_at(40, 40, "☑ Delivered")))) == []
    assert answer(document(), CheckboxModel(PAID).fit([], [])) == []


def test_where_boxes_are_drawn_a_page_without_one_has_none() -> None:
    spec = FieldSpec("approved", FieldType.CHECKBOX)
    shown = [drawn(40 + 10 * i, 90 + 20 * i, i % 2 == 0) for i in range(4)]
    labels = [
        Labels((Label("approved", 0, (40 + 10 * i, 90 + 20 * i, 52 + 10 * i, 102 + 20 * i), "☑" if i % 2 == 0 else "☐"),))
        for i in range(4)
    ]  # fmt: skip
    model = CheckboxModel(spec).fit([document(p) for p in shown], labels)
    bare = page(words_at(60, 90, "Approved by the board"), ink=np.full((396, 306), 40, np.uint8))
    assert model.predict(document(bare)) == []


def test_a_layout_nobody_taught_is_read_by_the_fields_own_words() -> None:
    shown = [drawn(40 + 10 * i, 90 + 20 * i, True) for i in range(2)]
    labels = [
        Labels((Label("paid", 0, (40 + 10 * i, 90 + 20 * i, 52 + 10 * i, 102 + 20 * i), "☑"),))
        for i in range(2)
    ]
    model = CheckboxModel(PAID).fit([document(p) for p in shown], labels)
    other = document(page(words_at(300, 700, "[x] Paid in full"), words_at(40, 40, "Invoice")))
    assert answer(other, model) == ["true"]


@pytest.mark.parametrize("ticked", [True, False])
def test_a_thin_tick_counts_as_much_as_a_thick_one(ticked: bool) -> None:
    """The squares' own edges are dark too: they are not measured with the tick."""
    shown, labels = [], []
    for i in range(6):
        at = drawn(40 + 10 * i, 90 + 20 * i, False)
        grid = np.array(at.ink)
        x, y = 40 + 10 * i, 90 + 20 * i
        grid[y // 2 : (y + 12) // 2 + 1, [x // 2, (x + 12) // 2]] = 255
        grid[[y // 2, (y + 12) // 2], x // 2 : (x + 12) // 2 + 1] = 255
        if i % 2 == 0:
            grid[y // 2 + 1 : (y + 12) // 2 - 1, x // 2 + 1 : (x + 12) // 2 - 1] = 200
        shown.append(document(replace(at, ink=grid)))
        box = (float(x), float(y), float(x + 12), float(y + 12))
        labels.append(Labels((Label("approved", 0, box, "☑" if i % 2 == 0 else "☐"),)))
    model = CheckboxModel(FieldSpec("approved", FieldType.CHECKBOX)).fit(shown, labels)
    assert answer(document(drawn(200, 400, ticked)), model) == ["true" if ticked else "false"]
