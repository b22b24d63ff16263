"""Documents and labels nobody would print: drawn at random, learnt from, stored, asked. Nothing raises but what is said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from db.words import make_page
from ml_backend.extraction.artifact import from_bytes, to_bytes
from ml_backend.extraction.errors import NothingToLearn
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Document, FieldSpec, FieldType, Label, Labels
from ml_backend.extraction.zero_shot import ZeroShotExtractor

WORDS = (
    *("Total:", "Due", "date", "03/04/2024", "31/02/2024", "12", "March", "2024", "1,200.00", "1.250,75", "R$", "$"),
    *("", "  ", ":", "-", "[X]", "☐", "☑", "Signature", "Invoice", "no", "ação", "\u0000", "\u202e", "😀", "(1,2)"),
    *("x" * 5000, "9" * 64, "Qty", "Description", "Amount"),
)  # fmt: skip
SPECS = (
    FieldSpec("total", FieldType.NUMBER),
    FieldSpec("due_date", FieldType.DATE),
    FieldSpec("supplier", FieldType.TEXT),
    FieldSpec("number", FieldType.IDENTIFIER, multiple=True),
    FieldSpec("paid", FieldType.CHECKBOX),
    FieldSpec("signature", FieldType.SIGNATURE),
    FieldSpec(
        "item",
        FieldType.TABLE,
        columns=(
            FieldSpec("amount", FieldType.NUMBER),
            FieldSpec("description", FieldType.TEXT),
        ),
    ),
)
NOTHING_TO_LEARN = {14}
"""Seeds whose labels cover no word."""
NAMES = ("total", "due_date", "supplier", "number", "paid", "signature", "item.amount")


def _document(rng: np.random.Generator, number: int) -> Document:
    """Up to three pages of words anywhere, also outside the page, of no size and of the page's."""
    pages = []
    for n in range(int(rng.integers(0, 4))):
        words = []
        for _ in range(int(rng.integers(0, 60))):
            x, y = rng.uniform(-20, 620), rng.choice([50, 60, 72, rng.uniform(-20, 820)])
            w, h = rng.choice([0, 5, 40, 900]), rng.choice([0, 7, 9, 300])
            words.append((str(rng.choice(WORDS)), (float(x), float(y), float(x + w), float(y + h))))
        pages.append(make_page(n, 612, 792, words))
    return Document(f"d{number}", tuple(pages))


def _labels(rng: np.random.Generator, document: Document) -> Labels:
    """On words, on nothing, on pages that are not there; twice for one field, and against what is declared absent."""
    found = []
    for _ in range(int(rng.integers(0, 8))):
        number = int(rng.integers(0, 4))
        box, text = (10.0, 10.0, 50.0, 20.0), "not printed"
        if number < len(document.pages) and document.pages[number].texts and rng.random() < 0.8:
            page = document.pages[number]
            at = int(rng.integers(0, len(page.texts)))
            left, top, right, bottom = page.boxes[at].tolist()
            box, text = (left, top, right, bottom), page.texts[at]
        name = str(rng.choice(NAMES))
        row = int(rng.integers(0, 3)) if name.startswith("item") else None
        found.append(Label(name, number, box, text, row=row))
    absent = frozenset({"total", "supplier"}) if rng.random() < 0.2 else frozenset()
    return Labels(tuple(found), absent, bool(rng.random() < 0.5))


@pytest.mark.parametrize("seed", range(16))
def test_whatever_is_given_is_learnt_from_or_refused_with_a_sentence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    documents = [_document(rng, n) for n in range(int(rng.integers(1, 8)))]
    labels = [_labels(rng, document) for document in documents]
    pool = [_document(rng, 100 + n) for n in range(int(rng.integers(0, 4)))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(ZeroShotExtractor(SPECS).predict(documents)) == len(documents)
        extractor = FieldExtractor(SPECS, self_train=bool(seed % 2))
        if seed in NOTHING_TO_LEARN:
            with pytest.raises(NothingToLearn, match=r"\w+ label"):
                extractor.fit(documents, labels, pool=pool)
            return
        extractor.fit(documents, labels, pool=pool)
        answers = extractor.predict([*documents, *pool])
        assert from_bytes(to_bytes(extractor)).predict([*documents, *pool]) == answers
    assert all(0 <= value.confidence <= 1 for answer in answers for value in answer.values)
