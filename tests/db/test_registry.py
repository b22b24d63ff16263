"""Runs, datasets, model versions and the live alias."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from db import registry
from db.models import Annotation, AnnotationEvent, ModelKind, RunState, Task, TrainingRun
from db.registry import Figure, NewModel
from tests import factories

LEASE = timedelta(seconds=30)


def submit(session: Session, task: Task, number: int, **values: object) -> AnnotationEvent:
    event = factories.annotation_event(session, task, label_studio_id=number)
    row = {
        "project_id": task.project_id,
        "task_id": task.id,
        "label_studio_id": number,
        "last_event_id": event.id,
        "source_created_at": factories.at(number),
        "source_updated_at": factories.at(number),
        "was_cancelled": False,
        "result": [],
        "content_sha256": event.content_sha256,
    }
    session.add(Annotation(**row | values))
    session.flush()
    return event


def test_reviewed_takes_the_latest_answer_and_leaves_out_what_does_not_count(
    session: Session,
) -> None:
    project = factories.project(session)
    tasks = [
        factories.task(
            session,
            factories.document_version(session, factories.document(session, project)),
            label_studio_id=number,
        )
        for number in range(1, 5)
    ]
    submit(session, tasks[0], 1)
    latest = submit(session, tasks[0], 2)
    submit(session, tasks[1], 3, was_cancelled=True)
    submit(session, tasks[2], 4, deleted_at=factories.at(50))
    truth = submit(session, tasks[3], 5, ground_truth=True)
    submit(session, tasks[3], 6)
    members = registry.reviewed(session, project.id)
    assert {m.annotation_event_id for m in members} == {latest.id, truth.id}
    assert all(0 <= m.fold < registry.FOLDS for m in members)
    first = registry.freeze_dataset(session, project.id, 1, members, created_by="test")
    again = registry.freeze_dataset(session, project.id, 1, members, created_by="other")
    other = registry.freeze_dataset(session, project.id, 1, members[:1], created_by="test")
    assert first.id == again.id != other.id
    assert first.document_count == 2


def test_one_run_at_a_time_and_a_second_request_joins_the_waiting_one(session: Session) -> None:
    project = factories.project(session)
    run = registry.request_run(session, project.id, reason="five new", requested_by="policy")
    joined = registry.request_run(session, project.id, reason="button", requested_by="ana")
    assert joined.id == run.id
    assert registry.start_run(session, run.id, LEASE) is not None
    later = registry.request_run(session, project.id, reason="button", requested_by="ana")
    assert later.id != run.id
    assert registry.start_run(session, later.id, LEASE) is None
    assert registry.finish_run(session, run.id, gate_passed=True, gate_reason="better")
    assert registry.start_run(session, later.id, LEASE) is not None
    assert not registry.fail_run(session, run.id, "too late")


def test_a_silent_run_is_failed_and_its_worker_learns_it(session: Session) -> None:
    project = factories.project(session)
    run = registry.request_run(session, project.id, reason="r", requested_by="policy")
    registry.start_run(session, run.id, LEASE)
    assert registry.heartbeat(session, run.id, {"step": "fit"})
    session.execute(
        update(TrainingRun)
        .where(TrainingRun.id == run.id)
        .values(heartbeat_at=func.clock_timestamp() - timedelta(minutes=2))
    )
    assert registry.fail_silent_runs(session, LEASE) == [run.id]
    session.refresh(run)
    assert run.state is RunState.FAILED
    assert not registry.heartbeat(session, run.id)


def test_names_count_up_and_the_alias_remembers(session: Session) -> None:
    project = factories.project(session)
    assert registry.live_model(session, project.id) is None
    zero = registry.register_model(
        session, project.id, "demo", NewModel(ModelKind.ZERO_SHOT, 1, "test")
    )
    registry.point_alias(session, zero, by="provisioning", notes="first")
    trained = registry.register_model(
        session,
        project.id,
        "demo",
        NewModel(ModelKind.TRAINED, 1, "test", artefact_sha256="0123456789" * 6 + "0123"),
    )
    assert (zero.name, trained.name) == ("demo-0-zero-shot", "demo-1-01234567")
    registry.point_alias(session, trained, by="gate", notes="better")
    live = registry.live_model(session, project.id)
    before = registry.previous_live(session, project.id)
    assert live is not None
    assert before is not None
    assert (live.id, before.id) == (trained.id, zero.id)


def test_figures_and_decisions(session: Session) -> None:
    project = factories.project(session)
    run = registry.request_run(session, project.id, reason="r", requested_by="policy")
    model = registry.register_model(
        session, project.id, "demo", NewModel(ModelKind.ZERO_SHOT, 1, "test")
    )
    registry.record_metrics(
        session, run.id, model.id, "candidate", [Figure(None, "f1", 0.9, 40, 0.8, 0.95)]
    )
    wait = {"train": False, "reason": "2 of 5 new documents", "figures": {"new": 2}}
    assert registry.record_decision(session, project.id, **wait)  # type: ignore[arg-type]
    assert not registry.record_decision(session, project.id, **wait)  # type: ignore[arg-type]


@pytest.mark.parametrize("events", [0, 3])
def test_the_situation_counts_what_came_since_the_last_run(session: Session, events: int) -> None:
    project = factories.project(session)
    version = factories.document_version(session, factories.document(session, project))
    task = factories.task(session, version)
    submit(session, task, 1)
    run = registry.request_run(session, project.id, reason="r", requested_by="policy")
    before = registry.training_situation(session, project.id)
    assert (before.new_events, before.queued, before.since_last_run) == (1, True, None)
    registry.start_run(session, run.id, LEASE)
    registry.finish_run(session, run.id, gate_passed=False, gate_reason="worse")
    for number in range(events):
        submit(session, task, 10 + number)
    after = registry.training_situation(session, project.id)
    assert (after.new_events, after.queued, after.running) == (events, False, False)
    assert after.reviewed == 1
    assert after.since_last_run is not None
