"""Runs, datasets, model versions and the live alias."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from db import datasets, jobs, registry, training_decisions, training_runs
from db.models import Annotation, AnnotationEvent, ModelKind, RunState, Task, TrainingRun
from db.registry import Figure, NewModel
from tests import factories


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
    members = datasets.reviewed(session, project.id)
    assert {m.annotation_event_id for m in members} == {latest.id, truth.id}
    assert all(0 <= m.fold < datasets.FOLDS for m in members)
    first = datasets.freeze_dataset(session, project.id, 1, members, created_by="test")
    again = datasets.freeze_dataset(session, project.id, 1, members, created_by="other")
    other = datasets.freeze_dataset(session, project.id, 1, members[:1], created_by="test")
    assert first.id == again.id != other.id
    assert first.document_count == 2


def test_one_run_at_a_time_and_a_second_request_joins_the_waiting_one(session: Session) -> None:
    project = factories.project(session)
    run = training_runs.request_run(session, project.id, reason="five new", requested_by="policy")
    joined = training_runs.request_run(session, project.id, reason="button", requested_by="ana")
    assert joined.id == run.id
    assert training_runs.start_run(session, run.id) is not None
    later = training_runs.request_run(session, project.id, reason="button", requested_by="ana")
    assert later.id != run.id
    assert training_runs.start_run(session, later.id) is None
    assert training_runs.finish_run(session, run.id, gate_passed=True, gate_reason="better")
    assert training_runs.start_run(session, later.id) is not None
    assert not training_runs.fail_run(session, run.id, "too late")


def silent(session: Session, run: TrainingRun) -> None:
    session.execute(
        update(TrainingRun)
        .where(TrainingRun.id == run.id)
        .values(heartbeat_at=func.clock_timestamp() - timedelta(minutes=2))
    )


def test_a_silent_run_without_a_job_is_failed_and_its_worker_learns_it(session: Session) -> None:
    project = factories.project(session)
    run = training_runs.request_run(session, project.id, reason="r", requested_by="policy")
    training_runs.start_run(session, run.id)
    assert training_runs.heartbeat(session, run.id, {"step": "fit"})
    assert training_runs.reap_runs(session) == []
    silent(session, run)
    assert training_runs.reap_runs(session) == [run.id]
    session.refresh(run)
    assert run.state is RunState.FAILED
    assert not training_runs.heartbeat(session, run.id)


def test_a_silent_run_whose_job_is_tried_again_waits_for_it(session: Session) -> None:
    project = factories.project(session)
    run = training_runs.request_run(session, project.id, reason="r", requested_by="policy")
    job = jobs.enqueue(
        session, kind="train", subject=str(run.id), created_by="test", max_attempts=2
    )
    for attempt in range(2):
        assert jobs.claim(session, job.id, worker="w", lease=timedelta(0))
        assert training_runs.start_run(session, run.id)
        silent(session, run)
        assert training_runs.reap_runs(session) == [run.id]
        session.refresh(run)
        assert run.state is (RunState.FAILED if attempt else RunState.QUEUED)


def test_a_queued_run_that_no_job_will_take_up_is_failed(session: Session) -> None:
    project = factories.project(session)
    run = training_runs.request_run(session, project.id, reason="r", requested_by="policy")
    assert training_runs.reap_runs(session) == []
    assert training_runs.reap_runs(session, timedelta(0)) == [run.id]
    session.refresh(run)
    assert run.state is RunState.FAILED


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
    run = training_runs.request_run(session, project.id, reason="r", requested_by="policy")
    model = registry.register_model(
        session, project.id, "demo", NewModel(ModelKind.ZERO_SHOT, 1, "test")
    )
    registry.record_metrics(
        session, run.id, model.id, "candidate", [Figure(None, "f1", 0.9, 40, 0.8, 0.95)]
    )
    wait = {"train": False, "reason": "2 of 5 new documents", "figures": {"new": 2}}
    assert training_decisions.record_decision(session, project.id, **wait)  # type: ignore[arg-type]
    assert not training_decisions.record_decision(session, project.id, **wait)  # type: ignore[arg-type]


def test_the_situation_counts_answers_the_last_run_did_not_read(session: Session) -> None:
    project = factories.project(session)
    tasks = [
        factories.task(
            session, factories.document_version(session, factories.document(session, project)), n
        )
        for n in (1, 2, 3)
    ]

    def answers() -> int:
        return training_decisions.training_situation(session, project.id).new_answers

    for number, task in enumerate(tasks[:2]):
        submit(session, task, number)
    run = training_runs.request_run(session, project.id, reason="r", requested_by="policy")
    before = training_decisions.training_situation(session, project.id)
    assert (before.new_answers, before.queued, before.since_last_run) == (2, True, None)
    assert before.oldest_new_answer is not None
    training_runs.start_run(session, run.id)
    dataset = datasets.freeze_dataset(
        session, project.id, 1, datasets.reviewed(session, project.id), created_by="test"
    )
    training_runs.bind_dataset(session, run.id, dataset.id, {})
    assert answers() == 0
    training_runs.finish_run(session, run.id, gate_passed=False, gate_reason="worse")
    after = training_decisions.training_situation(session, project.id)
    assert (after.reviewed, after.new_answers, after.queued, after.running) == (2, 0, False, False)
    assert after.since_last_run is not None
    assert after.oldest_new_answer is None
    submit(session, tasks[2], 10)
    assert answers() == 1
    for number in (11, 12):  # one document, changed twice
        submit(session, tasks[0], number)
    assert answers() == 2
    session.execute(
        update(Annotation)
        .where(Annotation.task_id == tasks[1].id)
        .values(deleted_at=func.clock_timestamp())
    )
    assert answers() == 3
