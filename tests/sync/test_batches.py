"""Batches of the inbox: however they are cut, the record is as if every event had been applied alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from db import inbox
from db.models import Annotation, AnnotationEvent, DeliveryState, EventKind, WebhookDelivery
from sync import inbox_pass
from sync.inbox_pass import drain
from sync.once import once
from sync.verify import verify
from tests.sync.mirroring import (
    PlainReader,
    deliver,
    events_of,
    region,
    standing,
    truth,
)

DATA = {"data": {"pages": ["http://pages/1.png"]}}


@pytest.fixture(params=[1, 2, 200])
def slices(request, monkeypatch):
    """Many small slices, or all in one."""
    monkeypatch.setattr(inbox_pass, "SLICE", request.param)
    return request.param


def states_of(services):
    with services.sessions.begin() as session:
        return [
            (row.state, row.attempts)
            for row in session.execute(
                select(WebhookDelivery.state, WebhookDelivery.attempts).order_by(WebhookDelivery.id)
            )
        ]


class _Poisoned(PlainReader):
    def normalise(self, field, text):
        if text == "poison":
            raise ZeroDivisionError
        return super().normalise(field, text)


def test_one_poisoned_event_stops_no_other_and_is_tried_again(services, project, studio, slices):
    tasks = studio.import_tasks(1, [DATA] * 7)
    once(services, project)
    studio.outbox.clear()
    for number, task in enumerate(tasks):
        studio.annotate(task, region("r1", text="poison" if number == 4 else str(number)))
    deliver(services, studio.outbox)
    poisoned = replace(services, reader_of=_Poisoned)
    bad = replace(project, reader=_Poisoned([]))
    drained = drain(poisoned, [bad])
    assert drained.written.added == 6
    assert set(standing(services)) == set(truth(studio)) - {5}
    assert states_of(services) == [
        (DeliveryState.PENDING if number == 4 else DeliveryState.DONE, 1) for number in range(7)
    ]
    with services.sessions.begin() as session:
        assert (
            "ZeroDivisionError"
            in session.scalars(
                select(WebhookDelivery.last_error).where(WebhookDelivery.state == "pending")
            ).one()
        )
        session.execute(text("UPDATE webhook_deliveries SET next_attempt_at = clock_timestamp()"))
    drain(services, [project])
    assert standing(services) == truth(studio)
    assert {event.gap for event in events_of(services)} == {False}


def test_several_events_of_one_annotation_in_one_batch_are_steps(services, project, studio, slices):
    tasks = studio.import_tasks(1, [DATA] * 3)
    once(services, project)
    studio.outbox.clear()
    first, *others = [studio.annotate(task, region("r1", text="0")) for task in tasks]
    for number in (1, 2, 3):
        for annotation in (first, *others):
            studio.edit(annotation, result=region("r1", text=str(number)), user=number % 2 + 1)
    deliver(services, studio.outbox)
    told = {
        (e["annotation"]["id"], e["annotation"]["updated_at"]): n
        for n, e in enumerate(studio.outbox, 1)
    }
    drain(services, [project])
    for annotation in (first, *others):
        history = events_of(services, annotation)
        assert [e.kind for e in history] == [EventKind.CREATED] + [EventKind.UPDATED] * 3
        # The results of states Label Studio no longer shows come from the inbox.
        assert [e.result[1]["value"]["text"] for e in history] == [["0"], ["1"], ["2"], ["3"]]
        assert [e.previous_event_id for e in history[1:]] == [e.id for e in history[:-1]]
        assert [[(c["before"], c["after"]) for c in e.changes] for e in history] == [
            [],
            [("0", "1")],
            [("1", "2")],
            [("2", "3")],
        ]
        assert len({e.delivery_id for e in history}) == 4
        assert not any(e.gap or e.late or e.problems for e in history)
    assert len(told) == len(events_of(services))
    assert standing(services) == truth(studio)
    assert {state for state, _ in states_of(services)} == {DeliveryState.DONE}
    assert verify(services, project).equal


def test_created_changed_and_deleted_in_one_batch(services, project, studio, slices):
    tasks = studio.import_tasks(1, [DATA] * 3)
    once(services, project)
    studio.outbox.clear()
    brief = [studio.annotate(task, region("r1", text="a")) for task in tasks]
    stays = [studio.annotate(task, region("r2", text="s"), user=2) for task in tasks]
    for annotation in brief:
        studio.edit(annotation, result=region("r1", text="b"), user=2)
        studio.delete_annotation(annotation)
    deliver(services, studio.outbox)
    drain(services, [project])
    for annotation in brief:
        history = events_of(services, annotation)
        kinds = [EventKind.CREATED, EventKind.UPDATED, EventKind.DELETED]
        assert [event.kind for event in history] == kinds
        assert history[2].result == history[1].result == region("r1", text="b")
        assert history[2].actor == "bia@example.org"
    assert set(standing(services)) == set(stays)
    assert standing(services) == truth(studio)
    with services.sessions.begin() as session:
        rows = session.execute(
            select(Annotation, AnnotationEvent).join(
                AnnotationEvent, AnnotationEvent.id == Annotation.last_event_id
            )
        ).all()
    assert len(rows) == 6
    for current, event in rows:
        assert (current.result, current.content_sha256) == (event.result, event.content_sha256)
        assert (current.deleted_at is not None) == (event.kind is EventKind.DELETED)


def test_a_delivery_is_done_only_with_the_last_of_its_tasks(services, project, studio, monkeypatch):
    monkeypatch.setattr(inbox_pass, "SLICE", 1)
    tasks = studio.import_tasks(1, [DATA] * 3)
    studio.annotate(tasks[2], region("r1"))
    deliver(services, studio.outbox)
    real = inbox_pass.write

    def breaks(session, project, look):
        if tasks[2] in look.present:
            raise ConnectionAbortedError
        return real(session, project, look)

    monkeypatch.setattr(inbox_pass, "write", breaks)
    drain(services, [project])
    with services.sessions.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM tasks")) == 2
    assert states_of(services) == [(DeliveryState.PENDING, 1)] * 2
    monkeypatch.setattr(inbox_pass, "write", real)
    with services.sessions.begin() as session:
        session.execute(text("UPDATE webhook_deliveries SET next_attempt_at = clock_timestamp()"))
    drain(services, [project])
    assert standing(services) == truth(studio)
    assert {state for state, _ in states_of(services)} == {DeliveryState.DONE}


def test_nothing_is_invented_for_a_delivery_that_was_erased_meanwhile(
    services, project, studio, monkeypatch
):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    studio.outbox.clear()
    annotation = studio.annotate(task, region("r1", text="1"))
    studio.edit(annotation, result=region("r1", text="2"))
    deliver(services, studio.outbox)
    monkeypatch.setattr(inbox, "annotations_told", lambda session, ids: {})
    drain(services, [project])
    assert [event.result for event in events_of(services)] == [region("r1", text="2")]


def test_a_task_brought_along_by_an_earlier_slice_is_not_written_from_an_older_look(
    services, project, studio, monkeypatch
):
    monkeypatch.setattr(inbox_pass, "SLICE", 1)
    first, second = studio.import_tasks(1, [DATA] * 2)
    moves = studio.annotate(first, region("r1", text="1"))
    stays = studio.annotate(second, region("r2", text="1"))
    once(services, project)
    studio.outbox.clear()
    # Second looks come after all first ones: by then an annotation was changed in the other task.
    studio.move_annotation(moves, second)
    studio.edit(stays, result=region("r2", text="2"))
    studio.change_data(first, {"x": 1})
    deliver(services, studio.outbox)
    deliver(
        services,
        [{"action": "TASKS_UPDATED", "project": {"id": 1}, "tasks": [{"id": first}]}],
    )
    real = inbox_pass.confirm

    def meanwhile(*given):
        if moves in studio.annotations and not done:
            done.append(1)
            studio.edit(stays, result=region("r2", text="3"))
        return real(*given)

    done: list[int] = []
    monkeypatch.setattr(inbox_pass, "confirm", meanwhile)
    drain(services, [project])
    assert standing(services) == truth(studio)
    history = events_of(services, stays)
    texts = [(event.result[1]["value"]["text"], event.late) for event in history]
    assert texts == [(["1"], False), (["3"], False), (["2"], True)]


def test_a_task_that_did_not_change_is_not_written_again(services, project, studio):
    tasks = studio.import_tasks(1, [DATA] * 2)
    once(services, project)

    def versions():
        with services.sessions.begin() as session:
            rows = session.execute(text("SELECT label_studio_id, xmin::text FROM tasks"))
            return dict(rows.all())

    before = versions()
    studio.annotate(tasks[1], region("r1"))
    tasks_told = [{"id": task} for task in tasks]
    deliver(services, [{"action": "TASKS_UPDATED", "project": {"id": 1}, "tasks": tasks_told}])
    drain(services, [project])
    assert versions()[tasks[0]] == before[tasks[0]]
    assert versions()[tasks[1]] != before[tasks[1]]


def test_what_arrives_is_looked_through_once(services, project, studio):
    tasks = studio.import_tasks(1, [DATA] * 3)
    studio.outbox.clear()
    for task in tasks:
        studio.annotate(task, region("r1"))
    deliver(services, studio.outbox)
    with services.sessions.begin() as session:
        ask = {"project": 1, "tasks": tasks[:2], "after": 0, "limit": 10}
        found, looked = inbox.pending_about(session, **ask)
        assert [delivery.payload["annotation"]["task"] for delivery in found] == tasks[:2]
        assert len(looked) == 3
        assert "result" not in found[0].payload["annotation"]
        assert inbox.pending_about(session, **ask, known=looked[:1])[0] == found[1:]
        told = inbox.annotations_told(session, looked)
    assert [told[number]["result"] for number in looked] == [region("r1")] * 3
