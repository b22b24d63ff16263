"""Signed or not: ink where the signature belongs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml_backend.extraction.fields import FieldSpec, FieldType, Label, Labels
from ml_backend.extraction.signature import SignatureModel
from tests.extraction.pages import Page, document, page, words_at

SPEC = FieldSpec("signature", FieldType.SIGNATURE, label_pt="Assinatura")


def form(x: float, y: float, signed: bool, text: str = "Authorized signature") -> Page:
    """A line to sign on with its label beneath; the place is (x, y - 36, x + 150, y - 4)."""
    ink = np.zeros((396, 306), np.uint8)
    if signed:
        rng = np.random.default_rng(int(x))
        rows = int((y - 30) // 2) + rng.integers(0, 10, 120)
        cols = int(x // 2) + rng.integers(5, 60, 120)
        ink[rows, cols] = 150
    line = (x, y - 2, x + 150, y - 2)
    ink[int((y - 2) // 2), int(x // 2) : int((x + 150) // 2)] = 255
    return page(words_at(x, y, text), words_at(40, 40, "Terms"), rulings=[line], ink=ink)


@pytest.mark.parametrize("signed", [True, False])
def test_by_its_label_alone(signed: bool) -> None:
    values = SignatureModel(SPEC).predict(document(form(100, 600, signed)))
    assert [(v.text, v.normalised) for v in values] == [
        ("signed", "true") if signed else ("", "false")
    ]


@pytest.mark.parametrize("signed", [True, False])
def test_learnt_from_examples(signed: bool) -> None:
    spec = FieldSpec("agreed", FieldType.SIGNATURE)
    documents, labels = [], []
    for i in range(4):
        x, y = 60.0 + 30 * i, 500.0 + 20 * i
        documents.append(document(form(x, y, i % 2 == 0, "For the buyer")))
        box = (x, y - 36, x + 150, y - 4)
        labels.append(Labels((Label("agreed", 0, box, "signed" if i % 2 == 0 else ""),)))
    model = SignatureModel(spec).fit(documents, labels)
    copy = SignatureModel.from_state(json.loads(json.dumps(model.to_state())))
    made = document(form(222, 640, signed, "For the buyer"))
    for one in (model, copy):
        assert [v.normalised for v in one.predict(made)] == ["true" if signed else "false"]


def test_a_typed_signature_on_a_page_nobody_rendered() -> None:
    made = document(page(words_at(100, 600, "Signature: /s/ Ana Lima")))
    assert [v.normalised for v in SignatureModel(SPEC).predict(made)] == ["true"]


def test_nothing_there_nothing_said() -> None:
    assert SignatureModel(SPEC).fit([], []).predict(document(page(words_at(40, 40, "Hi")))) == []


def test_a_layout_nobody_taught_is_read_by_the_fields_own_words() -> None:
    documents = [document(form(60.0 + 30 * i, 500.0, True, "For the buyer")) for i in range(3)]
    boxes = [(60.0 + 30 * i, 464.0, 210.0 + 30 * i, 496.0) for i in range(3)]
    labels = [Labels((Label("signature", 0, box, "signed"),)) for box in boxes]
    model = SignatureModel(SPEC).fit(documents, labels)
    for signed in (True, False):
        made = document(form(300, 300, signed, "Assinatura"))
        assert [v.normalised for v in model.predict(made)] == ["true" if signed else "false"]


def test_ink_at_the_usual_place_of_another_layout_is_no_signature() -> None:
    """A table where the known layout is signed: its words are not there, so nothing is signed."""
    documents = [document(form(100, 600, True, "For the buyer")) for _ in range(3)]
    labels = [Labels((Label("signature", 0, (100, 564, 250, 596), "signed"),))] * 3
    model = SignatureModel(SPEC).fit(documents, labels)
    dense = page(words_at(40, 40, "Stock list"), ink=np.full((396, 306), 90, np.uint8))
    assert model.predict(document(dense)) == []
