from __future__ import annotations

from dataclasses import replace

import pytest
from sklearn.base import clone

from ml_backend.extraction.artifact import ArtifactError, from_bytes, stored_versions, to_bytes
from ml_backend.extraction.errors import ExtractionError, NothingToLearn, UnknownField
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.evaluation import evaluate
from ml_backend.extraction.fields import Document, FieldSpec, FieldType, Label, Labels
from tests.extraction.forms import FIELDS, form, page, placed

TRAIN = [form(seed) for seed in range(12)]
TEST = [form(seed) for seed in range(100, 112)]


def fitted(forms=TRAIN, **parameters) -> FieldExtractor:
    return FieldExtractor(FIELDS, **parameters).fit(
        [f.document for f in forms], [f.labels for f in forms]
    )


def share_right(extractor: FieldExtractor, forms=TEST) -> float:
    predicted = extractor.predict([f.document for f in forms])
    report = evaluate([f.labels for f in forms], [f.document for f in forms], predicted, FIELDS)
    return report.micro.f1


@pytest.fixture(scope="module")
def extractor() -> FieldExtractor:
    return fitted()


def test_it_learns_a_form_from_a_dozen_documents(extractor):
    assert share_right(extractor) >= 0.97


def test_one_document_already_helps():
    assert share_right(fitted(TRAIN[:1])) >= 0.5


def test_values_carry_boxes_normal_forms_and_confidences(extractor):
    form_ = TEST[0]
    values = {v.field: v for v in extractor.predict([form_.document])[0].values}
    assert values["starts"].text == form_.truth["starts"]
    assert float(values["amount"].normalised) == float(form_.truth["amount"].replace(",", ""))
    boxed = next(label for label in form_.labels.labels if label.field == "customer")
    assert values["customer"].spans[0].page == 0
    assert values["customer"].spans[0].box == pytest.approx(boxed.box, abs=0.01)
    assert all(0 <= v.confidence <= 1 for v in values.values())


def test_parameters_survive_clone():
    extractor = FieldExtractor(FIELDS, seed=3, self_train=True, c=2.0)
    assert clone(extractor).get_params() == extractor.get_params()


def test_the_same_seed_gives_the_same_bytes(extractor):
    assert to_bytes(extractor) == to_bytes(fitted())
    assert to_bytes(extractor) != to_bytes(fitted(seed=1))


def test_a_stored_model_answers_alike(extractor):
    loaded = from_bytes(to_bytes(extractor))
    documents = [f.document for f in TEST]
    assert loaded.predict(documents) == extractor.predict(documents)
    assert stored_versions(to_bytes(extractor))["format"] == "4"


def test_other_bytes_are_refused_with_a_sentence():
    with pytest.raises(ArtifactError, match="not a Fieldloop model"):
        from_bytes(b"nothing of the kind")
    with pytest.raises(ArtifactError, match="not been fitted"):
        to_bytes(FieldExtractor(FIELDS))


def test_the_pool_is_learnt_from():
    pool = [form(seed).document for seed in range(200, 220)]
    few = TRAIN[:3]
    trained = FieldExtractor(FIELDS, self_train=True).fit(
        [f.document for f in few], [f.labels for f in few], pool
    )
    assert share_right(trained) >= share_right(fitted(few)) - 0.02


def test_a_declared_absence_is_learnt_and_told():
    forms = [form(seed, without=("ends",) if seed % 2 else ()) for seed in range(20)]
    extractor = fitted(forms)
    found = extractor.predict([form(301, without=("ends",)).document])[0]
    filled = {v.field for v in found.values if v.filled}
    assert "ends" not in filled
    assert "starts" in {v.field for v in found.values}


def test_partial_labels_leave_the_rest_unknown():
    forms = [
        replace(
            f,
            labels=Labels(
                tuple(x for x in f.labels.labels if x.field in ("customer", "amount") or i < 6),
                complete=False,
            ),
        )
        for i, f in enumerate(TRAIN)
    ]
    assert share_right(fitted(forms)) >= 0.9


def test_contradicting_labels_do_not_stop_it():
    first = TRAIN[0]
    swapped = tuple(
        replace(label, field={"starts": "ends", "ends": "starts"}.get(label.field, label.field))
        for label in first.labels.labels
    )
    extractor = FieldExtractor(FIELDS).fit(
        [f.document for f in [*TRAIN, first]],
        [*(f.labels for f in TRAIN), Labels(swapped)],
    )
    assert share_right(extractor) >= 0.9


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (Labels(()), "has a label"),
        (Labels((Label("customer", 0, (1.0, 1.0, 2.0, 2.0)),)), "covers a word"),
        (Labels((Label("customer", 7, (0.0, 0.0, 600.0, 800.0)),)), "covers a word"),
    ],
)
def test_nothing_to_learn_is_said(labels, sentence):
    with pytest.raises(NothingToLearn, match=sentence):
        FieldExtractor(FIELDS).fit([TRAIN[0].document], [labels])


def test_wrong_calls_are_refused():
    with pytest.raises(NothingToLearn, match="no reviewed documents"):
        FieldExtractor(FIELDS).fit([], [])
    with pytest.raises(NothingToLearn, match="schema is empty"):
        FieldExtractor(()).fit([TRAIN[0].document], [Labels(())])
    with pytest.raises(ExtractionError, match="one per document"):
        FieldExtractor(FIELDS).fit([TRAIN[0].document], [])
    with pytest.raises(ExtractionError, match="same name"):
        FieldExtractor(FIELDS + FIELDS[:1]).fit([TRAIN[0].document], [Labels(())])
    with pytest.raises(UnknownField, match="'colour'"):
        FieldExtractor(FIELDS).fit(
            [TRAIN[0].document], [Labels((Label("colour", 0, (0.0, 0.0, 1.0, 1.0)),))]
        )
    with pytest.raises(ExtractionError, match="fit first"):
        FieldExtractor(FIELDS).predict([TRAIN[0].document])


@pytest.mark.parametrize(
    "pages",
    [
        (),
        (page([]),),
        (page([]), page(placed("one two", 10, 10), 1)),
        (page(placed("x" * 5000 + " 12.00", 10, 10)),),
        (page([(" ", (0, 0, 1, 1)), ("\u202e\ud800", (5, 5, 5, 5)), ("-", (-10, -10, -5, -5))]),),
        (page([("same", (10.0, 10.0, 30.0, 20.0))] * 300),),
    ],
    ids=["no pages", "empty page", "empty first page", "long word", "odd words", "heap"],
)
def test_odd_documents_are_answered(extractor, pages):
    found = extractor.predict([Document("odd", pages)])[0]
    assert found.document_id == "odd"
    assert len(found.values) + len(found.absent) >= len(FIELDS)


def test_odd_documents_can_be_learnt_from():
    odd = [Document("empty", (page([]),)), Document("none", ())]
    extractor = FieldExtractor(FIELDS).fit(
        [*(f.document for f in TRAIN), *odd], [*(f.labels for f in TRAIN), Labels(()), Labels(())]
    )
    assert share_right(extractor) >= 0.95


@pytest.mark.parametrize("pool", [0, 3])
def test_documents_without_a_word_of_letters_can_be_learnt_from(pool):
    def numbers(seed: int) -> Document:
        return Document(f"n{seed}", (page(placed(f"{seed}7 {seed}13.50 {seed}99", 50, 50)),))

    seen = numbers(1)
    box = tuple(float(x) for x in seen.pages[0].boxes[1])
    labels = [Labels((Label("amount", 0, box, "113.50"),))]
    extractor = FieldExtractor(FIELDS, self_train=True)
    extractor.fit([seen], labels, pool=[numbers(k) for k in range(2, 2 + pool)])
    (found,) = extractor.predict([seen])
    assert {v.field: v.text for v in found.values}["amount"] == "113.50"


def test_ten_thousand_words_on_a_page(extractor):
    words = [
        (
            f"{i * 37 % 9973}.{i % 90 + 10}",
            (6.0 * (i % 100), 8.0 * (i // 100), 6.0 * (i % 100) + 5, 8.0 * (i // 100) + 6),
        )
        for i in range(10_000)
    ]
    assert extractor.predict([Document("dense", (page(words),))])[0].document_id == "dense"


def test_a_value_over_two_lines_is_found_whole():
    fields = (FieldSpec("address", FieldType.TEXT),)
    forms = []
    for i in range(12):
        first, second = f"{i + 3} Long Lane Corner", f"{10_000 + 37 * i} Little Town"
        words = placed("Invoice of the mill", 60, 20) + placed("Deliver to:", 60, 60)
        value = placed(first, 160, 60) + placed(second, 160, 71)
        words += value + placed("Thank you for your order", 60, 140)
        box = (160.0, 60.0, max(b[2] for _, b in value), 80.0)
        label = Label("address", 0, box, f"{first} {second}")
        forms.append((Document(f"a{i}", (page(words),)), Labels((label,))))
    extractor = FieldExtractor(fields).fit([d for d, _ in forms[:8]], [x for _, x in forms[:8]])
    texts = [extractor.predict([d])[0].values[0].text for d, _ in forms[8:]]
    assert texts == [x.labels[0].text for _, x in forms[8:]]
