"""What the record said at any moment, against histories written by hand and against an oracle in Python."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DataError

from db.models import EventKind, ValueOutcome
from tests import factories
from tests.factories import at


def rows(session, query, **values):
    return session.execute(text(query), values).all()


def texts(session, minutes, clock="record"):
    found = rows(
        session,
        'SELECT field, "text" FROM field_values_as_of(:t, :clock) ORDER BY field',
        t=at(minutes),
        clock=clock,
    )
    return dict(found)


def test_an_annotation_through_its_life_by_both_clocks(session):
    task = factories.task(session)

    def state(occurred, recorded, kind, value, **more):
        event = factories.annotation_event(
            session, task, kind=kind, occurred_at=at(occurred), recorded_at=at(recorded), **more
        )
        if value:
            factories.annotation_value(session, event, "total", value)

    # It happened at 0, 10, 30 and 40; we learnt it at 1, 15, 31 and 45.
    state(0, 1, EventKind.CREATED, "100.00")
    state(10, 15, EventKind.UPDATED, "120.00")
    state(30, 31, EventKind.UPDATED, "skipped anyway", was_cancelled=True)
    state(40, 45, EventKind.DELETED, None)

    story = {
        0.5: {},
        1: {"total": "100.00"},
        14: {"total": "100.00"},
        15: {"total": "120.00"},
        31: {},
        50: {},
    }
    assert {minute: texts(session, minute) for minute in story} == story
    story = {
        -1: {},
        0: {"total": "100.00"},
        9: {"total": "100.00"},
        10: {"total": "120.00"},
        30: {},
        41: {},
    }
    assert {minute: texts(session, minute, "source") for minute in story} == story

    skipped = rows(session, "SELECT was_cancelled FROM annotations_as_of(:t)", t=at(35))
    assert skipped == [(True,)]
    assert rows(session, "SELECT * FROM annotations_as_of(:t)", t=at(45)) == []
    ends = rows(session, "SELECT version, valid_to FROM annotation_history ORDER BY version")
    assert ends == [(1, at(15)), (2, at(31)), (3, at(45)), (4, None)]


def test_removed_values_are_no_values(session):
    event = factories.annotation_event(session, recorded_at=at(0))
    factories.annotation_value(session, event, "total", "1")
    factories.annotation_value(session, event, "date", None, outcome=ValueOutcome.REMOVED)
    assert texts(session, 1) == {"total": "1"}


def test_documents_extractions_predictions_and_live_model_together(session):
    project = factories.project(session)
    document = factories.document(session, project, created_at=at(0))
    first = factories.document_version(session, document, uploaded_at=at(0))
    zero = factories.model_version(session, project, 0)
    one = factories.model_version(session, project, 1)
    factories.point_live(session, zero, recorded_at=at(-5))
    by_zero = factories.extraction(session, first, zero, recorded_at=at(2))
    factories.extraction_value(session, by_zero, "total", "99.00")
    factories.point_live(session, one, recorded_at=at(10))
    by_one = factories.extraction(session, first, one, recorded_at=at(11))
    factories.extraction_value(session, by_one, "total", "100.00")
    factories.point_live(session, zero, recorded_at=at(20), notes="rolled back")
    second = factories.document_version(session, document, number=2, uploaded_at=at(30))

    def said(minutes):
        t = at(minutes)
        return (
            rows(session, "SELECT model_version FROM live_model_as_of(:t)", t=t),
            rows(session, "SELECT number FROM documents_as_of(:t)", t=t),
            rows(session, "SELECT model_version, is_live FROM extractions_as_of(:t)", t=t),
            rows(session, 'SELECT "text" FROM extracted_values_as_of(:t)', t=t),
        )

    live0, live1 = [(zero.name,)], [(one.name,)]
    assert said(-6) == ([], [], [], [])
    assert said(1) == (live0, [(1,)], [], [])
    assert said(5) == (live0, [(1,)], [(zero.name, True)], [("99.00",)])
    assert said(10.5) == (live1, [(1,)], [(zero.name, False)], [("99.00",)])
    assert said(12) == (live1, [(1,)], [(one.name, True)], [("100.00",)])
    assert said(25) == (live0, [(1,)], [(zero.name, True)], [("99.00",)])
    assert said(31)[1] == [(2,)]
    assert second.number == 2


def test_an_unknown_clock_is_an_error(session):
    with pytest.raises(DataError, match="unknown clock: 'server'"):
        rows(session, "SELECT * FROM annotations_as_of(now(), 'server')")


EVENT = st.fixed_dictionaries(
    {
        "task": st.integers(0, 1),
        "label_studio_id": st.integers(1, 2),
        "kind": st.sampled_from(list(EventKind)),
        "occurred": st.integers(0, 12),
        "recorded": st.integers(0, 12),
    }
)


@given(story=st.lists(EVENT, max_size=12))
@settings(
    max_examples=60,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_history_gives_what_the_oracle_says(session, story):
    with session.begin_nested() as savepoint:
        project = factories.project(session)
        document = factories.document(session, project)
        tasks = []
        for number in (1, 2):
            version = factories.document_version(session, document, number=number)
            tasks.append(factories.task(session, version, label_studio_id=number))
        events = []
        for step in story:
            event = factories.annotation_event(
                session,
                tasks[step["task"]],
                label_studio_id=step["label_studio_id"],
                kind=step["kind"],
                occurred_at=at(step["occurred"]),
                recorded_at=at(step["recorded"]),
            )
            factories.annotation_value(session, event, "total", str(event.id))
            events.append(event)
        for minute in range(-1, 14):
            for clock in ("record", "source"):
                expected = oracle(events, at(minute), clock)
                found = rows(
                    session, "SELECT event_id FROM annotations_as_of(:t, :c)", t=at(minute), c=clock
                )
                assert {event_id for (event_id,) in found} == expected
                assert len(found) == len(expected)
                values = rows(
                    session,
                    "SELECT event_id FROM field_values_as_of(:t, :c) WHERE task_id = :task",
                    t=at(minute),
                    c=clock,
                    task=tasks[0].id,
                )
                ours = {event.id for event in events if event.task_id == tasks[0].id}
                assert {event_id for (event_id,) in values} == expected & ours
        savepoint.rollback()


def oracle(events, t, clock):
    standing = {}
    in_order = sorted(events, key=lambda e: (e.occurred_at, e.id) if clock == "source" else e.id)
    for event in in_order:
        if (event.occurred_at if clock == "source" else event.recorded_at) <= t:
            standing[event.task_id, event.label_studio_id] = event
    return {event.id for event in standing.values() if event.kind is not EventKind.DELETED}
