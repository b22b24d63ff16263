"""A box a reviewer draws → the box around the words under it, and their text."""

from __future__ import annotations

import numpy as np
import pytest

from db.projects import FieldRow
from db.regions import PageSize
from db.words import INK_CELL, make_page
from ml_backend.auth import SECRET_HEADER
from ml_backend.extraction.checkbox import CHECKED, UNCHECKED
from ml_backend.extraction.fields import FieldType
from ml_backend.interactive import PREFIX, SIGNED, answer, drawn
from ml_backend.regions import Sheet
from tests.ml_backend import world
from tests.ml_backend.conftest import SECRET

SHEET = Sheet(PageSize(600.0, 800.0), (1250, 1667))
TYPES = {
    "number": FieldType.IDENTIFIER,
    "paid": FieldType.CHECKBOX,
    "signature": FieldType.SIGNATURE,
    "item.amount": FieldType.NUMBER,
}
WORDS = [("INV-7", (60.0, 80.0, 100.0, 92.0)), ("of", (104.0, 80.0, 112.0, 92.0))]


def rectangle(key="new", label="number", **values):
    place = {"x": 9.0, "y": 9.0, "width": 8.0, "height": 3.0, "rotation": 0}
    place |= {name: values.pop(name) for name in tuple(values) if name in place}
    return {
        "id": key,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "img",
        "item_index": 0,
        "original_width": 1250,
        "original_height": 1667,
        "value": {**place, "rectanglelabels": [label]},
    } | values


def text_of(key, text="x"):
    return {"id": key, "type": "textarea", "from_name": "text", "value": {"text": [text]}}


def read(entry, *pages, types=TYPES):
    pages = pages or (make_page(0, 600, 800, WORDS),)
    return answer(entry, pages, [SHEET] * len(pages), types)


def box_of(result):
    value = result[0]["value"]
    left, top = value["x"] * 6, value["y"] * 8
    return (left, top, left + value["width"] * 6, top + value["height"] * 8)


def test_the_box_snaps_to_its_words_and_carries_their_text():
    box, text = read(rectangle())
    assert box_of([box]) == pytest.approx((60, 80, 100, 92), abs=1e-3)
    assert text["value"]["text"] == ["INV-7"]
    assert box["value"]["rectanglelabels"] == ["number"]
    assert box["id"] == text["id"] == f"{PREFIX}new"
    assert (box["type"], text["type"]) == ("rectanglelabels", "textarea")
    assert (box["original_width"], box["original_height"]) == (1250, 1667)


def test_several_words_are_joined():
    assert read(rectangle(width=12.0))[1]["value"]["text"] == ["INV-7 of"]


def test_the_new_box_is_the_last_one_without_a_text():
    entries = [
        rectangle("old"),
        text_of("old"),
        rectangle("plain"),
        rectangle("newest", item_index=1),
    ]
    assert drawn(entries)["id"] == "newest"
    assert drawn([rectangle("old"), text_of("old")]) is None
    assert drawn([]) is None
    assert drawn([None, "x", {}, {"type": "rectanglelabels", "id": "no value"}]) is None


def test_each_page_has_its_own_words():
    pages = [make_page(0, 600, 800, WORDS), make_page(1, 600, 800, [("page2", WORDS[0][1])])]
    box, text = read(rectangle(item_index=1), *pages)
    assert (text["value"]["text"], box["item_index"]) == (["page2"], 1)


@pytest.mark.parametrize("index", [-1, 1, 10**9, "0", 0.5, True, [0]])
def test_a_page_that_is_not_there_gives_nothing(index):
    assert read(rectangle(item_index=index)) == []


@pytest.mark.parametrize("index", [0, None])
def test_the_first_page_may_go_unnamed(index):
    assert read(rectangle(item_index=index))[1]["value"]["text"] == ["INV-7"]


def test_a_box_around_no_word_stays_as_drawn_and_has_an_empty_text():
    box, text = read(rectangle(x=50.0, y=50.0))
    assert box_of([box]) == pytest.approx((300, 400, 348, 424))
    assert text["value"]["text"] == [""]


def test_a_rotated_box_is_read_under_its_upright_hull():
    # Turned clockwise about its top left corner by 90 degrees, so it lies to the left of x.
    box, text = read(rectangle(x=17.0, y=9.0, width=4.0, height=8.0, rotation=90))
    assert text["value"]["text"] == ["INV-7"]
    assert box["value"]["rotation"] == 0


@pytest.mark.parametrize(("dark", "text"), [(255, CHECKED), (0, UNCHECKED)])
def test_a_checkbox_answers_by_its_ink(dark, text):
    ink = np.zeros((int(800 / INK_CELL), int(600 / INK_CELL)), np.uint8)
    ink[36:48, 27:51] = dark
    page = make_page(0, 600, 800, [], ink=ink)
    box, found = read(rectangle(label="paid"), page)
    assert found["value"]["text"] == [text]
    assert box_of([box]) == pytest.approx((54, 72, 102, 96))


def test_a_checkbox_on_a_page_without_ink_is_left_to_the_reviewer():
    assert read(rectangle(label="paid", x=50.0, y=50.0))[1]["value"]["text"] == [""]


def test_a_signature_is_there_and_keeps_its_box():
    box, text = read(rectangle(label="signature"))
    assert text["value"]["text"] == [SIGNED]
    assert box_of([box]) == pytest.approx((54, 72, 102, 96))


def test_a_column_of_a_table_is_a_label_like_any_other():
    box, text = read(rectangle(label="item.amount"))
    assert (box["value"]["rectanglelabels"], text["value"]["text"]) == (["item.amount"], ["INV-7"])


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"x": "1", "y": 1, "width": 1, "height": 1},
        {"x": None, "y": 1, "width": 1, "height": 1},
        {"x": float("nan"), "y": 1, "width": 1, "height": 1},
        {"x": float("inf"), "y": 1, "width": 1, "height": 1},
        {"x": 10**400, "y": 1, "width": 1, "height": 1},
    ],
)
def test_a_box_without_a_place_gives_nothing(value):
    assert read(rectangle() | {"value": value}) == []


@pytest.mark.parametrize("labels", [[], None, "number", [{"x": 1}], [None]])
def test_a_box_with_strange_labels_is_still_read(labels):
    entry = rectangle()
    entry["value"]["rectanglelabels"] = labels
    assert read(entry)[1]["value"]["text"] == ["INV-7"]


def test_a_box_beyond_the_page_is_clipped():
    box, _ = read(rectangle(x=95.0, y=95.0, width=50.0, height=50.0))
    assert box_of([box]) == pytest.approx((570, 760, 600, 800))


def test_a_box_without_an_id_gets_one_of_its_own():
    ids = {read(rectangle(None))[0]["id"] for _ in range(2)}
    assert len(ids) == 2


# Over HTTP


@pytest.fixture
def version(session):
    project = world.project(
        session,
        rows=[FieldRow("invoice_number", "identifier", "No", "No"), *world.ROWS],
    )
    # Where the box of the captured request lies: 34.9, 21.8 percent, 23.5 wide, 2.5 high.
    words = [("INV-2026-001", (220.0, 178.0, 300.0, 192.0))]
    return world.read_version(session, project, [make_page(0, 600, 800, words)])


def ask(client, version_id, result, **values):
    body = {
        "project": "12.1",
        "tasks": [world.task_payload(15, version_id)],
        "params": {"context": {"result": result}},
    }
    answer = client.post("/predict", json=body | values, headers={SECRET_HEADER: SECRET})
    assert answer.status_code == 200, answer.json
    (one,) = answer.json["results"]
    assert isinstance(one["result"], list)
    assert one["model_version"] == "orders-0-zero-shot"
    return one["result"]


def test_a_real_request_is_answered_for_its_new_box_alone(client, version, payload):
    body = payload("ml-predict-interactive")
    result = ask(client, version.id, body["params"]["context"]["result"])
    wanted = payload("ml-predict-interactive-response")["results"][0]["result"]
    assert [e["type"] for e in result] == [e["type"] for e in wanted]
    # Without a score: the list of regions is sorted by it, and what was just drawn belongs on top.
    assert all(
        set(ours) == set(theirs) - {"score"} for ours, theirs in zip(result, wanted, strict=True)
    )
    assert result[0]["id"] == result[1]["id"] == f"{PREFIX}sSX1tcW7aO"
    assert result[0]["value"]["rectanglelabels"] == ["invoice_number"]
    assert result[1]["value"]["text"] == ["INV-2026-001"]


@pytest.mark.parametrize(
    "result",
    [[], None, "x", [None], [{}], [rectangle("old"), text_of("old")], [rectangle(item_index=7)]],
)
def test_an_interactive_request_without_a_new_box_suggests_nothing(client, version, result):
    """Above all not the prediction of the whole document: it would be drawn over the reviewer's work."""
    assert ask(client, version.id, result) == []


def test_a_task_of_another_project_or_none_is_answered_with_nothing(client, session, version):
    other = world.project(session, title="Other", label_studio_id=13)
    foreign = world.form_version(session, other, 1)
    for wanted in (foreign.id, None, "x"):
        assert ask(client, wanted, [rectangle()]) == []
    assert ask(client, version.id, [rectangle()], tasks=[]) == []
