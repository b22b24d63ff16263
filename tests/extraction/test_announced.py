"""Fields answered by their own label, and labels whose text says less than their box holds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ml_backend.extraction.announced import Lead, Told, Trial, leads
from ml_backend.extraction.document import text_of, tokenise, tokens_in
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Document, FieldSpec, FieldType, Label, Labels
from ml_backend.extraction.state import from_plain, to_plain
from tests.extraction.forms import page, placed

RIGHT, WRONG, SILENT = Told(True, True), Told(True), Told(False)


def trials(*cases: tuple[bool, Told, Told], times: int = 1) -> list[Trial]:
    """(value is there, what the label says, what was learnt says)"""
    return [Trial(0, *case) for case in cases for _ in range(times)]


def test_a_label_that_finds_more_leads():
    lead = leads(trials((True, RIGHT, RIGHT), times=9) + trials((True, RIGHT, WRONG)), 1)[0]
    assert lead is not None
    assert lead.confidence == pytest.approx(11 / 12)
    assert not lead.alone


def test_between_equals_what_was_learnt_answers():
    assert leads(trials((True, RIGHT, RIGHT), (True, WRONG, WRONG), times=5), 1) == (None,)


def test_a_label_that_keeps_silent_where_nothing_is_leads_alone():
    found = trials((True, RIGHT, RIGHT), times=8) + trials((False, SILENT, WRONG), times=3)
    lead = leads(found, 1)[0]
    assert lead is not None
    assert lead.alone
    assert lead.absent == pytest.approx(4 / 5)
    # Values taken off the page by us say nothing of how often one is missing.
    blank = [Trial(0, False, SILENT, SILENT, masked=True)] * 50
    assert leads([*found, *blank], 1) == (lead,)


def test_a_label_that_is_seldom_printed_leads_where_it_is():
    found = trials((True, SILENT, RIGHT), times=4) + trials((True, RIGHT, WRONG), times=4)
    lead = leads(found, 1)[0]
    assert lead is not None
    assert not lead.alone


def test_few_values_or_a_small_gain_among_many_say_nothing():
    assert leads(trials((True, RIGHT, WRONG), times=4), 1) == (None,)
    many = trials((True, RIGHT, RIGHT), times=97) + trials((True, RIGHT, WRONG), times=3)
    assert leads(many, 1) == (None,)


def test_a_label_that_answers_for_values_taken_off_only_suggests():
    found = trials((True, RIGHT, WRONG), times=8)
    sure = leads(found + [Trial(0, False, SILENT, SILENT, masked=True)] * 8, 1)[0]
    bold = leads(found + [Trial(0, False, WRONG, SILENT, masked=True)] * 8, 1)[0]
    assert sure is not None
    assert bold is not None
    assert (sure.fills, bold.fills) == (True, False)


DUE = (FieldSpec("due_date", FieldType.DATE), FieldSpec("issue_date", FieldType.DATE))


def note(number: int, *, due: bool) -> tuple[Document, Labels]:
    """A letter whose dates stand anywhere; only the words beside them tell which is which."""
    rng = np.random.default_rng(number)
    lines = [f"word{rng.integers(90)} other{rng.integers(90)}" for _ in range(12)]
    words, labels = [], []
    rows = rng.permutation(12)
    wanted = {"issue_date": "Issue date:", **({"due_date": "Due date:"} if due else {})}
    for row, (field, printed) in zip(rows.tolist(), wanted.items(), strict=False):
        value = f"{rng.integers(1, 13):02d}/{rng.integers(13, 28)}/2024"
        lines[row] = ""
        x, y = 60 + 40 * float(rng.integers(6)), 80 + 40.0 * row
        words += placed(printed, x, y)
        own = placed(value, x + 80, y)
        words += own
        labels.append(Label(field, 0, own[0][1], value))
    words += placed(f"{rng.integers(1, 13):02d}/{rng.integers(13, 28)}/2024", 60, 700)
    for row, line in enumerate(lines):
        words += placed(line, 60, 80 + 40.0 * row)
    absent = frozenset() if due else frozenset({"due_date"})
    return Document(f"note-{number}", (page(words),)), Labels(tuple(labels), absent, True)


def test_what_is_absent_without_its_label_is_not_answered():
    taught = [note(n, due=n % 2 == 0) for n in range(16)]
    extractor = FieldExtractor(DUE).fit([d for d, _ in taught], [truth for _, truth in taught])
    asked = [note(n, due=n % 2 == 0) for n in range(100, 120)]
    found = extractor.predict([document for document, _ in asked])
    answered = [any(v.field == "due_date" and v.filled for v in x.values) for x in found]
    assert answered == [n % 2 == 0 for n in range(20)]


def test_a_model_from_before_labels_could_lead_is_still_read():
    taught = [note(n, due=n % 2 == 0) for n in range(6)]
    extractor = FieldExtractor(DUE).fit([d for d, _ in taught], [truth for _, truth in taught])
    plain = to_plain(extractor)
    header = json.loads(plain["header"])
    del header["state"]["lead"]
    plain["header"] = json.dumps(header)
    assert from_plain(plain)["state_"].lead == ()


def test_without_its_label_a_field_is_absent_as_surely_as_held_out_documents_say():
    taught = [note(n, due=n % 2 == 0) for n in range(16)]
    extractor = FieldExtractor(DUE).fit([d for d, _ in taught], [truth for _, truth in taught])
    lead = Lead(confidence=0.9, absent=0.7, fills=True, alone=True)
    extractor.state_ = replace(extractor.state_, lead=(lead, None))
    (found,) = extractor.predict([note(100, due=False)[0]])
    assert found.absent["due_date"] == 0.7
    (kept,) = extractor.predict([note(102, due=True)[0]])
    assert [v.confidence for v in kept.values if v.field == "due_date"] == [0.9]


def test_a_lead_from_before_silence_was_counted_is_still_read():
    taught = [note(n, due=n % 2 == 0) for n in range(6)]
    extractor = FieldExtractor(DUE).fit([d for d, _ in taught], [truth for _, truth in taught])
    plain = to_plain(extractor)
    header = json.loads(plain["header"])
    header["state"]["lead"] = [{"confidence": 0.9, "fills": True, "alone": False}, None]
    plain["header"] = json.dumps(header)
    assert from_plain(plain)["state_"].lead == (Lead(0.9, 0.5, True, False), None)


def tokens_said(words, box, text: str) -> str:
    tokens = tokenise(Document("a", (page(words),)), 1, 0)
    return text_of(tokens, tokens_in(tokens, 0, box, text).tolist())


def test_a_label_without_the_sentences_dot_keeps_the_whole_date():
    words = placed("payable by June 11, 2024. Thereafter", 50, 50)
    box = (words[2][1][0], 50.0, words[4][1][2], 59.0)
    assert tokens_said(words, box, "June 11, 2024") == "June 11, 2024."


def test_of_a_box_around_two_lines_the_run_that_says_it_is_kept():
    words = placed("it is due on 11 de julho", 50, 50) + placed("de 2025 at the latest", 50, 64)
    assert tokens_said(words, (0.0, 40.0, 500.0, 80.0), "11 de julho de 2025") == (
        "11 de julho de 2025"
    )


def test_a_text_that_stands_nowhere_in_the_box_leaves_the_box():
    words = placed("Elm Street", 50, 50)
    assert tokens_said(words, (0.0, 40.0, 500.0, 80.0), "Dogwood Ltd") == "Elm Street"
