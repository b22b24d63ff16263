"""Webhook events → reasons to look; whatever comes, nothing is dropped and nothing raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.json_values import storable
from sync.deliveries import KNOWN, Reasons, read_delivery, witnesses

PAYLOADS = Path(__file__).parents[3] / "shared" / "label-studio" / "payloads"
TIMES = {"created_at": "2026-01-01T00:00:00.000001Z", "updated_at": "2026-01-01T00:00:00.000002Z"}


def read(action, payload):
    reasons = Reasons()
    read_delivery(reasons, 9, action, payload)
    return reasons


def annotation(number=5, task=3):
    return {"id": number, "task": task, "result": [], "completed_by": 1, **TIMES}


def test_the_twelve_kinds_are_known_by_name():
    assert {
        *(
            "PROJECT_CREATED",
            "PROJECT_UPDATED",
            "PROJECT_DELETED",
            "TASKS_CREATED",
            "TASKS_DELETED",
        ),
        *("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED"),
        *("LABEL_LINK_CREATED", "LABEL_LINK_UPDATED", "LABEL_LINK_DELETED"),
    } <= KNOWN


@pytest.mark.parametrize("action", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"])
def test_an_annotation_names_its_task_and_is_a_witness(action):
    reasons = read(action, {"annotation": annotation(), "task": {"id": 3, "data": {}, **TIMES}})
    assert reasons.tasks == {3}
    (witness,) = witnesses(reasons.told[3], (), lambda number: f"user{number}@example.org")
    assert (witness.state.id, witness.delivery_id, witness.state.updated_by) == (
        5,
        9,
        "user1@example.org",
    )
    assert reasons.told_tasks[3].id == 3
    assert reasons.notes == {}


def test_the_plural_form_has_lists_under_singular_keys():
    payload = {
        "annotation": [annotation(1, 3), annotation(2, 4)],
        "task": [{"id": 3, "data": {}, **TIMES}, {"id": 4, "data": {}, **TIMES}],
    }
    reasons = read("ANNOTATIONS_CREATED", payload)
    assert reasons.tasks == {3, 4}
    assert {t: [one.id for one in found] for t, found in reasons.told.items()} == {
        3: [1],
        4: [2],
    }


def test_bare_ids_of_deleted_things():
    reasons = read("ANNOTATIONS_DELETED", {"annotations": [{"id": 1}, {"id": 2}]})
    assert reasons.deleted_annotations == {1: 9, 2: 9}
    reasons = read("TASKS_DELETED", {"tasks": [{"id": 3}]})
    assert (reasons.deleted_tasks, reasons.sweep) == ({3: 9}, True)


@pytest.mark.parametrize(
    "action", sorted(KNOWN - {"PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED"})
)
def test_without_payload_the_whole_project_is_looked_through(action):
    reasons = read(action, {"action": action})
    if action.startswith("LABEL_LINK"):
        assert not reasons.catch_up
    else:
        assert reasons.catch_up
        assert 9 in reasons.notes


def test_unknown_kinds_are_kept_and_explained():
    reasons = read("MODEL_RETIRED", {"x": 1})
    assert (reasons.catch_up, reasons.sweep) == (True, True)
    assert "MODEL_RETIRED" in reasons.notes[9]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"annotation": {"id": 5}}, "names no task"),
        ({"annotation": {"id": 5, "task": 3}}, "no usable id, created_at"),
        ({"annotation": "no object", "task": None}, "names no task"),
        ({"annotation": [], "task": []}, "names no annotation"),
        ({"annotation": annotation(), "task": {"id": "x"}}, "no usable id"),
        ({"annotation": {**annotation(), "id": 2**40}}, "no usable id"),
    ],
)
def test_malformed_events_are_explained(payload, said):
    reasons = read("ANNOTATION_UPDATED", payload)
    assert said in reasons.notes[9]
    assert reasons.catch_up


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "task", "result", "created_at", "updated_at", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(KNOWN)) | st.text(max_size=10),
    st.dictionaries(
        st.sampled_from(["annotation", "annotations", "task", "tasks", "project"]), JSON, max_size=4
    ),
)
def test_no_payload_raises(action, payload):
    reasons = read(action, storable(payload))
    for told in reasons.told.values():
        assert len(witnesses(told, (), str)) == len(told)


def test_captured_payloads_are_read_without_complaint():
    if not PAYLOADS.exists():
        pytest.skip(f"LOUD: {PAYLOADS} is absent; events captured from Label Studio were not read.")
    seen = set()
    for path in sorted(PAYLOADS.glob("webhook-*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))["body"]
        if body["action"] == "START_TRAINING":
            continue
        reasons = read(body["action"], body)
        assert reasons.notes == {}, path.name
        seen.add(body["action"])
        if body["action"].startswith("ANNOTATION") and "DELETED" not in body["action"]:
            assert [witnesses(told, (), str) for told in reasons.told.values()]
    assert len(seen) >= 6
