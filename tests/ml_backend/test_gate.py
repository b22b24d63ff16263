"""A candidate goes live for being better, and one document is no reason either way."""

from __future__ import annotations

from ml_backend.extraction.evaluation import Score
from ml_backend.gate import judge
from ml_backend.held_out import Example, Marks, folds_of


def marks(**counts: tuple[int, int, int, int]) -> Marks:
    """One document's marks; per field (support, right, invented or wrong, missed)."""
    return Marks({name: Score(*numbers, 0, 0) for name, numbers in counts.items()})


RIGHT, WRONG, MISSED = (1, 1, 0, 0), (1, 0, 1, 1), (1, 0, 0, 1)


def documents(count: int, mark: Marks) -> dict[str, Marks]:
    return {str(number): mark for number in range(count)}


def test_better_overall_goes_live():
    live = documents(6, marks(total=WRONG, date=RIGHT))
    verdict = judge(documents(6, marks(total=RIGHT, date=RIGHT)), live)
    assert verdict.passed
    assert verdict.reason == "Better: F1 1.000 against 0.500 on 6 documents."


def test_the_same_is_not_better():
    same = documents(6, marks(total=RIGHT, date=MISSED))
    verdict = judge(same, same)
    assert not verdict.passed
    assert verdict.reason.startswith("Not better:")


def test_one_spoilt_value_does_not_stop_a_gain():
    live = documents(6, marks(total=WRONG, date=RIGHT))
    ours = documents(6, marks(total=RIGHT, date=RIGHT)) | {"0": marks(total=RIGHT, date=MISSED)}
    assert judge(ours, live).passed


def test_two_spoilt_values_of_a_field_do():
    live = documents(6, marks(total=WRONG, date=RIGHT))
    spoilt = marks(total=RIGHT, date=WRONG)
    ours = documents(6, marks(total=RIGHT, date=RIGHT)) | {"0": spoilt, "1": spoilt}
    verdict = judge(ours, live)
    assert not verdict.passed
    assert verdict.reason.startswith("Worse on date: F1 0.667 after 1.000;")


def test_a_gain_by_luck_with_one_document_is_none():
    live = documents(20, marks(total=RIGHT)) | {"0": marks(total=WRONG), "1": marks(total=RIGHT)}
    ours = documents(20, marks(total=RIGHT)) | {"1": marks(total=MISSED)}
    verdict = judge(ours, live)
    assert not verdict.passed
    assert verdict.reason.startswith("Not surely better:")


def test_without_a_common_document_nobody_can_tell():
    verdict = judge({"a": marks(total=RIGHT)}, {"b": marks(total=WRONG)})
    assert not verdict.passed
    assert verdict.documents == 0


def test_the_first_model_must_get_something_right():
    assert judge(documents(3, marks(total=RIGHT)), None).passed
    assert not judge(documents(3, marks(total=WRONG)), None).passed


def test_every_document_is_held_out_once():
    for count in (1, 4, 7, 14, 15, 40):
        examples = [Example(str(n), n % 5, None, None) for n in range(count)]
        for slow in (False, True):
            folds = folds_of(examples, slow=slow)
            assert sorted(position for fold in folds for position in fold) == list(range(count))
            assert len(folds) <= (5 if slow or count >= 15 else count)
