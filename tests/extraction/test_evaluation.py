"""What counts as right, where the types differ."""

from __future__ import annotations

from ml_backend.extraction.evaluation import Score, evaluate
from ml_backend.extraction.fields import (
    Document,
    Extraction,
    FieldSpec,
    FieldType,
    Label,
    Labels,
    Span,
    Value,
)

SIGNATURE = FieldSpec("signature", FieldType.SIGNATURE)
BOX = (10.0, 10.0, 90.0, 40.0)


def score(labels: Labels, text: str, normalised: str) -> Score:
    value = Value("signature", text, normalised, None, (Span(0, BOX),), 0.9)
    document = Document("one", [])
    report = evaluate([labels], [document], [Extraction("one", (value,))], [SIGNATURE])
    return report.fields["signature"]


def labelled(text: str | None) -> Labels:
    return Labels((Label("signature", 0, BOX, text),))


def test_a_signature_found_where_there_is_one_is_right() -> None:
    assert score(labelled("signed"), "signed", "true") == Score(support=1, tp=1)
    assert score(labelled(None), "signed", "true") == Score(support=1, tp=1)


def test_nobody_signed_is_right_where_the_field_is_absent() -> None:
    absent = Labels((), frozenset(["signature"]))
    assert score(absent, "", "false") == Score(absences=1)
    assert score(absent, "signed", "true") == Score(fp=1, invented=1, absences=1)


def test_nobody_signed_is_a_miss_where_somebody_did() -> None:
    assert score(labelled("signed"), "", "false") == Score(support=1, fn=1)
