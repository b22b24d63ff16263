"""The gate's verdicts, on counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ml_backend.extraction.evaluation import Score
from ml_backend.gate import judge
from ml_backend.held_out import Example, Marks, figures, folds_of, from_plain, to_plain


def right(**fields):
    """Marks of one document: field → whether it was right."""
    return Marks(
        {
            name: Score(support=1, tp=1) if good else Score(support=1, fp=1, fn=1)
            for name, good in fields.items()
        }
    )


def documents(count, **fields):
    return {f"d{n}/1": right(**fields) for n in range(count)}


def test_a_clear_gain_passes_with_its_figures():
    verdict = judge(documents(10, a=True, b=True), documents(10, a=True, b=False))
    assert verdict.passed
    assert verdict.reason == "Better: F1 1.000 against 0.500 on 10 documents."
    assert (verdict.candidate_f1, verdict.live_f1, verdict.documents) == (1.0, 0.5, 10)


@pytest.mark.parametrize("good", [True, False])
def test_no_gain_does_not_pass(good):
    verdict = judge(documents(10, a=good), documents(10, a=good))
    assert not verdict.passed
    assert "Not better" in verdict.reason


def test_a_loss_does_not_pass():
    assert not judge(documents(5, a=False), documents(5, a=True)).passed


def test_a_field_that_people_rely_on_must_not_be_lost():
    live = documents(10, a=True, b=False, c=False)
    candidate = documents(10, a=False, b=True, c=True)
    verdict = judge(candidate, live)
    assert not verdict.passed
    assert "Worse on a: F1 0.000 after 1.000" in verdict.reason


def marked(wrong: dict[str, set[int]], count: int = 20):
    """`count` documents; field → documents on which it was wrong."""
    return {
        f"d{n}/1": right(**{name: n not in numbers for name, numbers in wrong.items()})
        for n in range(count)
    }


def test_a_loss_that_other_fields_outweigh_is_named_and_passes():
    live = marked({"a": set(), "b": set(range(8)), "c": set(range(4, 12))})
    candidate = marked({"a": {0, 1, 2}, "b": set(), "c": {4}})
    verdict = judge(candidate, live)
    assert verdict.passed
    assert "Worse on a: F1 0.850 after 1.000; other fields outweigh it" in verdict.reason


def test_a_loss_that_other_fields_do_not_outweigh_stops_it():
    live = marked({"a": set(), "b": {0, 1, 2, 3, 4}})
    verdict = judge(marked({"a": {5, 6, 7}, "b": set()}), live)
    assert not verdict.passed
    assert "Worse on a: F1 0.850 after 1.000" in verdict.reason


def test_a_field_that_is_ruined_stops_it_whatever_is_won():
    wrong = {name: set(range(15)) for name in "bcdef"}
    live = marked({"a": set(), **wrong})
    verdict = judge(marked({"a": set(range(6)), **{name: set() for name in "bcdef"}}), live)
    assert not verdict.passed


def test_one_lucky_document_is_no_reason():
    live = {f"d{n}/1": right(a=n % 2 == 0, b=True) for n in range(20)}
    candidate = {f"d{n}/1": right(a=n % 2 == 1 or n == 0, b=n not in {1, 3}) for n in range(20)}
    verdict = judge(candidate, live)
    assert not verdict.passed


def test_only_documents_in_both_count():
    live = documents(4, a=True)
    candidate = documents(4, a=True) | {"new/1": right(a=False)}
    assert judge(candidate, live).documents == 4


def test_nothing_in_common_or_nothing_at_all_is_said():
    assert "in common" in judge({"x/1": right(a=True)}, {"y/1": right(a=True)}).reason
    assert "No document" in judge({}, documents(2, a=True)).reason


def test_the_first_model_needs_one_right_value():
    assert judge(documents(3, a=True), None).passed
    assert not judge(documents(3, a=False), None).passed


def example(key, fold=0):
    return Example(key, fold, None, None)


def test_few_documents_are_held_out_one_by_one_and_many_by_their_fold():
    assert folds_of([example(str(n)) for n in range(4)]) == [[0], [1], [2], [3]]
    many = [example(str(n), fold=n % 3) for n in range(30)]
    folds = folds_of(many)
    assert sorted(position for fold in folds for position in fold) == list(range(30))
    assert len(folds) == 3
    same = folds_of([example(str(n), fold=2) for n in range(30)])
    assert sorted(position for fold in same for position in fold) == list(range(30))
    assert all(len(fold) < 30 for fold in same)


def test_marks_are_kept_as_plain_json_and_read_back():
    marks = {
        key: replace(own, answers=(("a", 0.9, True), ("b", 0.4, False)))
        for key, own in documents(2, a=True, b=False).items()
    }
    kept = from_plain(json.loads(json.dumps(to_plain(marks))))
    assert kept == marks
    assert kept["d0/1"].only({"a"}) == replace(right(a=True), answers=(("a", 0.9, True),))
    error = [f.value for f in figures(list(kept.values()), ()) if f.name == "calibration_error"]
    assert error == [pytest.approx(0.25)]  # 0.9 said of what is always right, 0.4 of what never is


def test_marks_of_the_first_releases_are_read():
    assert from_plain({"d0/1": {"a": [1, 1, 0, 0, 0, 0]}}) == {"d0/1": right(a=True)}


def test_figures_per_field_and_over_all_with_their_intervals():
    found = {
        (f.field, f.name): f for f in figures(list(documents(8, a=True, b=False).values()), [])
    }
    assert found[(None, "f1")].value == pytest.approx(0.5)
    assert (found[("a", "f1")].value, found[("b", "f1")].value) == (1.0, 0.0)
    assert found[("a", "f1")].support == 8
    recall = found[("a", "recall")]
    assert 0.6 < recall.low < recall.value == recall.high == 1.0
    assert found[(None, "documents")].value == 8.0


def test_figures_of_nothing():
    assert {f.name for f in figures([], [])} >= {"f1", "documents"}
