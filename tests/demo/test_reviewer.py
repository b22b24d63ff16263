"""What the played reviewer submits, against predictions with every kind of mistake."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from typing import Any

import pytest

from db.regions import PageSize, Region, read_result, write_region
from fieldloop.demo.generator import FIELDS, Truth, TruthValue, generate
from fieldloop.demo.reviewer import Changes, correct

KNOWN = set(FIELDS)


@pytest.fixture(scope="module")
def truth() -> Truth:
    for sample in generate(3, 24, layouts=["label_left", "boxed_form"]):
        if len(sample.truth.pages) > 1 and {"signature", "due_date"} & set(sample.truth.absent):
            return sample.truth
    raise AssertionError("no sample of this seed has two pages")


def pixels(truth: Truth) -> list[tuple[int, int]]:
    return [(round(w * 150 / 72), round(h * 150 / 72)) for w, h in truth.pages]


def prediction(truth: Truth, values: list[TruthValue]) -> list[dict[str, Any]]:
    """A prediction that says exactly these values, as the pipeline writes it."""
    result: list[dict[str, Any]] = []
    for number, value in enumerate(values):
        region = Region(
            f"region{number:04d}",
            value.field,
            value.page,
            value.box,
            value.text,
            "rectanglelabels",
            score=0.75,
        )
        result += write_region(
            region, PageSize(*truth.pages[value.page]), pixels(truth)[value.page]
        )
    return result


def submit(truth: Truth, predicted: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Changes]:
    before = copy.deepcopy(predicted)
    result, changes = correct(predicted, truth, pixels(truth), KNOWN, seed="7")
    assert predicted == before
    assert says(truth, result) == sorted((v.field, v.text, v.page) for v in truth.values)
    return result, changes


def says(truth: Truth, result: list[dict[str, Any]]) -> list[tuple[str | None, str | None, int]]:
    reading = read_result(result, [PageSize(*size) for size in truth.pages], fields=FIELDS)
    assert reading.problems == ()
    assert reading.status == "OK"
    assert set(reading.absent) == {name for name in truth.absent if "." not in name}
    return sorted((r.field or "", r.text or "", r.page) for r in reading.regions)


def test_a_right_prediction_is_submitted_as_it_is(truth: Truth) -> None:
    predicted = prediction(truth, list(truth.values))
    result, changes = submit(truth, predicted)
    assert changes == Changes(kept=len(truth.values))
    assert [{**entry, "origin": "prediction"} for entry in predicted] == result[: len(predicted)]


def test_without_a_prediction_everything_is_drawn(truth: Truth) -> None:
    result, changes = submit(truth, [])
    assert changes == Changes(drawn=len(truth.values))
    regions = [entry for entry in result if entry["type"] != "choices"]
    assert {entry["origin"] for entry in regions} == {"manual"}
    assert all("score" not in entry for entry in regions)
    assert len({entry["id"] for entry in regions}) == len(truth.values)


def test_a_wrong_text_keeps_its_region_score_and_origin(truth: Truth) -> None:
    values = list(truth.values)
    at = next(i for i, v in enumerate(values) if v.field == "total")
    values[at] = replace(values[at], text="9.99")
    result, changes = submit(truth, prediction(truth, values))
    assert (changes.retyped, changes.drawn, changes.removed, changes.moved) == (1, 0, 0, 0)
    mine = [entry for entry in result if entry["id"] == f"region{at:04d}"]
    assert [entry["origin"] for entry in mine] == ["prediction", "prediction"]
    assert [entry["score"] for entry in mine] == [0.75, 0.75]


def test_a_misplaced_box_is_pulled_over_both_results(truth: Truth) -> None:
    values = list(truth.values)
    at = next(i for i, v in enumerate(values) if v.field == "supplier_name")
    x0, y0, _, y1 = values[at].box
    values[at] = replace(values[at], box=(x0, y0, x0 + 20, y1), text=values[at].text[:4])
    result, changes = submit(truth, prediction(truth, values))
    assert (changes.moved, changes.retyped, changes.drawn) == (1, 1, 0)
    rectangle, text = (entry for entry in result if entry["id"] == f"region{at:04d}")
    assert rectangle["origin"] == text["origin"] == "prediction-changed"
    for key in ("x", "y", "width", "height"):
        assert rectangle["value"][key] == text["value"][key]


def test_a_value_of_the_wrong_field_is_relabelled(truth: Truth) -> None:
    values = list(truth.values)
    at = next(i for i, v in enumerate(values) if v.field == "issue_date")
    values = [v for v in values if v.field != "due_date"]
    values[at] = replace(values[at], field="due_date")
    result, changes = submit(truth, prediction(truth, values))
    assert changes.relabelled == 1
    rectangle = next(
        e for e in result if e["id"] == f"region{at:04d}" and "rectanglelabels" in e["value"]
    )
    assert rectangle["value"]["rectanglelabels"] == ["issue_date"]
    assert rectangle["origin"] == "prediction-changed"


def test_an_invented_value_is_removed_and_a_missed_one_drawn(truth: Truth) -> None:
    values = [v for v in truth.values if v.field != "document_number"]
    values.append(TruthValue("item.amount", "1.00", "1", 0, (5.0, 5.0, 30.0, 15.0), None))
    result, changes = submit(truth, prediction(truth, values))
    assert (changes.removed, changes.drawn) == (1, 1)
    assert all(entry["id"] != f"region{len(values) - 1:04d}" for entry in result)


def test_a_signature_nobody_wrote_is_removed() -> None:
    unsigned = next(s.truth for s in generate(1, 40) if "signature" in s.truth.absent)
    nobody = TruthValue("signature", "", "false", 0, (300.0, 700.0, 480.0, 734.0))
    result, changes = submit(unsigned, prediction(unsigned, [*unsigned.values, nobody]))
    assert changes == Changes(kept=len(unsigned.values), removed=1)
    assert result


def test_rows_of_a_table_keep_to_their_own_row(truth: Truth) -> None:
    """Many cells hold the same text one above the other: each region stays with the cell it stands on."""
    _, changes = submit(truth, prediction(truth, list(reversed(truth.values))))
    assert changes == Changes(kept=len(truth.values))


def test_a_field_the_project_lacks_is_not_drawn(truth: Truth) -> None:
    known = KNOWN - {"signature", "payment_terms"}
    result, _ = correct([], truth, pixels(truth), known, seed="7")
    named = itertools.chain.from_iterable(
        entry["value"].get("rectanglelabels", []) + entry["value"].get("choices", [])
        for entry in result
    )
    assert {"signature", "payment_terms"}.isdisjoint(named)


def test_a_careful_reviewer_takes_longer_the_more_is_wrong() -> None:
    assert Changes(kept=9).seconds < Changes(kept=8, retyped=1).seconds < Changes(drawn=9).seconds
