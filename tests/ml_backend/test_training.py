"""A training run from the button to the live model, on a few small forms."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from db import datasets, jobs, registry, training_runs
from db.models import (
    Dataset,
    DatasetMember,
    DocumentWords,
    Job,
    JobState,
    Metric,
    ModelAlias,
    ModelKind,
    ModelVersion,
    RetrainDecision,
    RunState,
    TrainingRun,
)
from db.projects import FieldRow
from ml_backend import jobs as worker
from ml_backend import trainer
from ml_backend.extraction.artifact import from_bytes
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Labels
from ml_backend.live_models import ensure_live, live_predictor
from tests.extraction.forms import FIELDS, form
from tests.ml_backend import world


@pytest.fixture
def project(session):
    return world.project(session)


@pytest.fixture(scope="session")
def fitted():
    forms = [form(seed) for seed in (0, 1)]
    return FieldExtractor(FIELDS).fit([f.document for f in forms], [f.labels for f in forms])


@pytest.fixture
def quick(monkeypatch, fitted):
    """Every fit gives the same model at once: for tests of what is around the fit."""
    monkeypatch.setattr(trainer, "_fit", lambda plan, examples, cache: fitted)


def consider(services, project, forced=True):
    """Ask whether to train, and do what follows but predictions for Label Studio; the runs, oldest first."""
    with services.sessions.begin() as session:
        jobs.enqueue(
            session,
            kind="consider_training",
            subject=f"{project.id}:forced" if forced else str(project.id),
            project_id=project.id,
            arguments={"forced": forced, "by": "ana"} if forced else {},
            created_by="test",
        )
    return work(services, ("consider_training", "train"))


def work(services, kinds):
    while True:
        with services.sessions.begin() as session:
            due = set(jobs.due(session))
            wanted = [
                job.id
                for job in session.scalars(select(Job).order_by(Job.created_at))
                if job.id in due and job.kind in kinds
            ]
        if not wanted:
            with services.sessions.begin() as session:
                return list(session.scalars(select(TrainingRun).order_by(TrainingRun.requested_at)))
        for job_id in wanted:
            worker.execute(services, job_id)


def model_of(session, run):
    return session.scalars(
        select(ModelVersion).where(ModelVersion.training_run_id == run.id)
    ).one_or_none()


def job_states(session, kind):
    return [job.state for job in session.scalars(select(Job).where(Job.kind == kind))]


# From reviews to a live model


@pytest.fixture
def trained(services, session, project):
    """Four reviewed forms and the first run on them."""
    world.reviewed_forms(session, project, range(4))
    ensure_live(session, project.id)
    (run,) = consider(services, project)
    return run


def test_a_run_names_what_it_read_and_what_came_of_it(services, session, project, trained):
    run = trained
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert run.requested_by == "ana"
    dataset = session.get(Dataset, run.dataset_id)
    members = session.scalars(select(DatasetMember).where(DatasetMember.dataset_id == dataset.id))
    assert {m.annotation_event_id for m in members} == {
        m.annotation_event_id for m in datasets.reviewed(session, project.id)
    }
    assert dataset.document_count == 4
    model = model_of(session, run)
    assert model.kind is ModelKind.TRAINED
    assert (model.dataset_id, model.schema_version) == (dataset.id, 1)
    assert model.name == f"orders-1-{model.artefact_sha256[:8]}"
    assert services.blobs.exists(model.artefact_sha256)
    assert model.artefact_bytes == len(services.blobs.get(model.artefact_sha256))
    assert "scikit-learn" in model.libraries
    roles = {
        (m.role, m.model_version_id)
        for m in session.scalars(select(Metric).where(Metric.field.is_(None)))
    }
    zero = session.scalars(select(ModelVersion).filter_by(number=0)).one()
    assert roles == {("candidate", model.id), ("live", zero.id)}
    f1 = session.scalars(
        select(Metric).where(
            Metric.name == "f1", Metric.role == "candidate", Metric.field.is_(None)
        )
    ).one()
    assert f1.support == 20
    assert 0 <= f1.low <= f1.value <= f1.high <= 1


def test_the_gate_moved_the_alias_and_the_next_prediction_uses_it(
    services, session, project, trained
):
    model = model_of(session, trained)
    assert trained.gate_passed, trained.gate_reason
    assert "F1" in trained.gate_reason
    assert registry.live_model(session, project.id).id == model.id
    alias = session.scalars(select(ModelAlias).order_by(ModelAlias.id.desc())).first()
    assert (alias.recorded_by, alias.notes) == ("gate", trained.gate_reason)
    predictor = live_predictor(services, project.id)
    assert (predictor.name, predictor.model_version_id) == (model.name, model.id)
    (extraction,) = predictor.predict([form(100).document])
    assert {value.field for value in extraction.values if value.filled}
    refresh = session.scalars(select(Job).where(Job.kind == "refresh_predictions")).one()
    assert refresh.subject == str(model.id)


def test_the_decision_and_its_figures_are_kept(session, trained):
    decision = session.scalars(select(RetrainDecision)).one()
    assert decision.train
    assert decision.training_run_id == trained.id
    assert decision.figures == {"reviewed": 4, "new_answers": 4, "forced": True}


def test_the_same_dataset_and_seed_give_the_same_model(services, session, project, trained):
    """Invariant 5, with the order in which documents and annotations came taken away."""
    first = model_of(session, trained)
    second = model_of(session, consider(services, project)[-1])
    assert first.id != second.id
    assert first.dataset_id == second.dataset_id
    assert first.artefact_sha256 == second.artefact_sha256
    twin = world.project(session, title="Twin", label_studio_id=13)
    world.reviewed_forms(session, twin, [2, 0, 3, 1])
    third = model_of(session, consider(services, twin)[-1])
    assert third.artefact_sha256 == first.artefact_sha256


@pytest.mark.parametrize("change", ["review", "pool", "words", "schema"])
def test_another_dataset_has_another_hash(services, session, project, trained, change):
    version = session.scalars(select(DatasetMember)).first().document_version_id
    if change == "review":
        labels = form(0).labels
        version = next(
            v for v in session.scalars(select(world.DocumentVersion)) if _named(session, v, 0)
        )
        world.review(session, version, dataclasses.replace(labels, labels=labels.labels[1:]))
    elif change == "pool":
        world.form_version(session, project, 50)
    elif change == "words":
        session.execute(
            update(DocumentWords)
            .where(DocumentWords.document_version_id == version)
            .values(data=world.pack(world.pages_of(form(60))))
        )
    else:
        world.set_schema(session, project, world.ROWS[:-1], by="test")
    again = consider(services, project)[-1]
    assert again.dataset_id != trained.dataset_id
    hashes = list(session.scalars(select(Dataset.sha256)))
    assert len(set(hashes)) == 2


def _named(session, version, seed):
    return session.get(world.factories.Document, version.document_id).name == f"form-{seed}.pdf"


def test_a_model_is_not_measured_on_what_it_learnt_from(services, session, project, trained):
    """A second run on the same reviews: both models are marked by models that had not seen the document."""
    again = consider(services, project)[-1]
    assert not again.gate_passed
    assert "Not better" in again.gate_reason
    assert registry.live_model(session, project.id).id == model_of(session, trained).id


def test_an_erased_model_file_does_not_stop_the_next_run(services, session, project, trained):
    services.blobs.delete(model_of(session, trained).artefact_sha256)
    services.blobs.delete(trained.parameters["held_out_sha256"])
    world.reviewed_forms(session, project, [7])
    again = consider(services, project)[-1]
    assert again.state is RunState.SUCCEEDED
    assert again.gate_reason


@pytest.mark.usefixtures("quick")
def test_progress_can_be_watched(services, session, project, monkeypatch):
    seen = []
    real = training_runs.heartbeat

    def watched(session, run_id, progress=None):
        seen.append(progress)
        return real(session, run_id, progress)

    world.reviewed_forms(session, project, range(3))
    monkeypatch.setattr(training_runs, "heartbeat", watched)
    (run,) = consider(services, project)
    assert [p["step"] for p in seen] == ["evaluate"] * 3 + ["fit", "record"]
    assert seen[-1] == {"step": "record", "done": 4, "total": 4}
    assert run.progress == {}


# What cannot be learnt from


def test_no_review_no_run(services, session, project):
    assert consider(services, project) == []
    (decision,) = session.scalars(select(RetrainDecision))
    assert (decision.train, decision.reason) == (False, "No document has been reviewed yet.")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (Labels(()), "mark at least one value"),
        (
            Labels((dataclasses.replace(form(0).labels.labels[0], box=(1.0, 790.0, 9.0, 799.0)),)),
            "draw boxes around printed words",
        ),
    ],
)
def test_reviews_that_teach_nothing_fail_the_run_with_a_sentence(
    services, session, project, labels, said
):
    for seed in range(3):
        world.review(session, world.form_version(session, project, seed), labels)
    (run,) = consider(services, project)
    assert run.state is RunState.FAILED
    assert said in run.error
    assert job_states(session, "train") == [JobState.DONE]
    assert session.scalar(select(func.count()).select_from(ModelVersion)) == 1  # the zero-shot one
    # And it is not tried again and again: nothing new came.
    project.settings = {
        "training": {"min_documents": 1, "min_new": 1, "debounce": 0, "cooldown": 0}
    }
    session.flush()
    assert [one.id for one in consider(services, project, forced=False)] == [run.id]


def test_one_reviewed_document_is_enough_for_a_person_who_insists(services, session, project):
    world.reviewed_forms(session, project, [0])
    (run,) = consider(services, project)
    assert run.state is RunState.SUCCEEDED
    assert not run.gate_passed  # nothing was left to measure it on


def test_a_label_of_a_removed_field_is_left_out(services, session, project):
    world.reviewed_forms(session, project, range(3))
    world.set_schema(session, project, world.ROWS[:-1], by="test")
    (run,) = consider(services, project)
    assert run.state is RunState.SUCCEEDED
    model = model_of(session, run)
    assert model.schema_version == 2
    extractor = from_bytes(services.blobs.get(model.artefact_sha256))
    assert [spec.name for spec in extractor.fields] == [row.name for row in world.ROWS[:-1]]


def test_a_field_added_between_two_runs(services, session, project, trained):
    """The live model knows the old schema: it is marked on the new one, and the new model is judged fairly."""
    rows = [*world.ROWS, FieldRow("note", "text", "Note", "Nota")]
    world.set_schema(session, project, rows, by="test")
    assert ensure_live(session, project.id).id == model_of(session, trained).id
    world.reviewed_forms(session, project, [7])
    again = consider(services, project)[-1]
    assert again.state is RunState.SUCCEEDED
    assert model_of(session, again).schema_version == 2


def test_a_field_removed_since_counts_for_neither_model(services, session, project, trained):
    names = [row.name for row in world.ROWS[:2]]
    world.set_schema(session, project, world.ROWS[:2], by="test")
    again = consider(services, project)[-1]
    live = session.scalars(
        select(Metric.field).where(
            Metric.training_run_id == again.id, Metric.role == "live", Metric.field.is_not(None)
        )
    )
    assert set(live) <= set(names)


# One at a time, and dying


def new_run(session, project, seed=0):
    run = training_runs.request_run(session, project.id, reason="r", requested_by="t", seed=seed)
    job = jobs.enqueue(
        session,
        kind="train",
        subject=str(run.id),
        project_id=project.id,
        created_by="t",
        max_attempts=2,
    )
    return run, job


def silence(session, run):
    session.execute(
        update(TrainingRun)
        .where(TrainingRun.id == run.id)
        .values(heartbeat_at=func.clock_timestamp() - timedelta(minutes=1))
    )


@pytest.mark.usefixtures("quick")
def test_a_second_run_waits_for_the_first_at_no_cost(services, session, project):
    world.reviewed_forms(session, project, range(3))
    first, _ = new_run(session, project)
    assert training_runs.start_run(session, first.id)
    second, job = new_run(session, project)
    for _ in range(3):
        worker.execute(services, job.id)
        session.refresh(job)
        session.refresh(second)
        assert (job.state, second.state) == (JobState.QUEUED, RunState.QUEUED)
        session.execute(update(Job).values(run_after=func.clock_timestamp()))
    training_runs.fail_run(session, first.id, "cancelled")
    worker.execute(services, job.id)
    session.refresh(second)
    assert second.state is RunState.SUCCEEDED


@pytest.mark.usefixtures("quick")
def test_the_policy_waits_while_a_run_is_on_its_way(services, session, project):
    world.reviewed_forms(session, project, range(3))
    run, _ = new_run(session, project)
    training_runs.start_run(session, run.id)
    assert [one.id for one in consider(services, project)] == [run.id]
    (job,) = session.scalars(select(Job).where(Job.kind == "consider_training"))
    assert job.state is JobState.QUEUED  # it asks again by itself
    assert job.attempts < job.max_attempts


@pytest.mark.usefixtures("quick")
def test_a_killed_run_is_begun_again_by_the_next_worker(services, session, project):
    world.reviewed_forms(session, project, range(3))
    run, job = new_run(session, project)
    assert jobs.claim(session, job.id, worker="dead", lease=timedelta(0))
    assert training_runs.start_run(session, run.id)
    worker.execute(services, job.id)
    session.refresh(run)
    assert run.state is RunState.SUCCEEDED


@pytest.mark.usefixtures("quick")
def test_a_killed_run_is_not_left_running_while_all_workers_are_busy(services, session, project):
    world.reviewed_forms(session, project, range(3))
    run, job = new_run(session, project)
    assert jobs.claim(session, job.id, worker="dead", lease=timedelta(0))
    assert training_runs.start_run(session, run.id)
    silence(session, run)
    assert training_runs.reap_runs(session) == [run.id]
    session.refresh(run)
    assert run.state is RunState.QUEUED
    worker.execute(services, job.id)
    session.refresh(run)
    assert run.state is RunState.SUCCEEDED


@pytest.mark.usefixtures("quick")
def test_a_run_that_kills_every_worker_is_failed_and_blocks_nothing(services, session, project):
    world.reviewed_forms(session, project, range(3))
    run, job = new_run(session, project)
    for _ in range(2):
        assert jobs.claim(session, job.id, worker="dead", lease=timedelta(0))
    training_runs.start_run(session, run.id)
    assert worker.execute(services, job.id) is False
    session.refresh(run)
    assert run.state is RunState.FAILED
    assert "died" in run.error
    assert consider(services, project)[-1].state is RunState.SUCCEEDED


@pytest.mark.usefixtures("quick")
def test_a_run_that_was_declared_dead_records_nothing(services, session, project, monkeypatch):
    """The worker was only slow: its run was failed and its model must not appear."""
    world.reviewed_forms(session, project, range(3))
    run, job = new_run(session, project)
    real = trainer.to_bytes

    def slow(extractor):
        training_runs.fail_run(session, run.id, "declared dead")
        return real(extractor)

    monkeypatch.setattr(trainer, "to_bytes", slow)
    worker.execute(services, job.id)
    session.refresh(run)
    assert (run.state, run.error) == (RunState.FAILED, "declared dead")
    assert model_of(session, run) is None


@pytest.mark.usefixtures("quick")
def test_an_error_in_the_fit_is_tried_again_and_then_fails_the_run(
    services, session, project, monkeypatch
):
    world.reviewed_forms(session, project, range(3))
    run, job = new_run(session, project)
    monkeypatch.setattr(trainer, "to_bytes", lambda extractor: 1 / 0)
    for _ in range(2):
        worker.execute(services, job.id)
        session.execute(update(Job).values(run_after=func.clock_timestamp()))
    session.refresh(run)
    assert run.state is RunState.FAILED
    assert "ZeroDivisionError" in run.error


@pytest.mark.usefixtures("quick")
def test_two_workers_train_one_project_one_after_the_other(committed, monkeypatch):
    """Invariant 6 with two connections: the second is told to wait while the first fits."""
    monkeypatch.setattr(worker, "RENEW_SECONDS", 0.05)
    with committed.sessions.begin() as session:
        project = world.project(session)
        world.reviewed_forms(session, project, range(3))
        first, one = new_run(session, project)
    second_job: list[uuid.UUID] = []
    real = trainer.to_bytes

    def meanwhile(extractor):
        if not second_job:
            with committed.sessions.begin() as session:
                _, job = new_run(session, project)
                second_job.append(job.id)
            worker.execute(committed, job.id)
            with committed.sessions.begin() as session:
                states = sorted(session.scalars(select(TrainingRun.state)))
                assert states == [RunState.QUEUED, RunState.RUNNING]
        return real(extractor)

    monkeypatch.setattr(trainer, "to_bytes", meanwhile)
    worker.execute(committed, one.id)
    with committed.sessions.begin() as session:
        assert session.get(TrainingRun, first.id).state is RunState.SUCCEEDED
        assert session.get(TrainingRun, first.id).heartbeat_at is not None
        session.execute(update(Job).values(run_after=func.clock_timestamp()))
    worker.execute(committed, second_job[0])
    with committed.sessions.begin() as session:
        assert set(session.scalars(select(TrainingRun.state))) == {RunState.SUCCEEDED}


# Who may move the alias


def test_a_promotion_by_hand_during_a_run_stands(services, session, project, trained, monkeypatch):
    zero = session.scalars(select(ModelVersion).filter_by(number=0)).one()
    world.reviewed_forms(session, project, [7])
    real = trainer.to_bytes

    def meanwhile(extractor):
        registry.point_alias(session, zero, by="ana", notes="the trained one is wrong on layout B")
        return real(extractor)

    monkeypatch.setattr(trainer, "to_bytes", meanwhile)
    again = consider(services, project)[-1]
    assert not again.gate_passed
    assert zero.name in again.gate_reason
    assert registry.live_model(session, project.id).id == zero.id


# Learning from unreviewed documents too


@pytest.fixture
def with_pool(services, session, project, monkeypatch):
    monkeypatch.setattr(trainer, "SELF_TRAIN_POOL", 3)
    world.reviewed_forms(session, project, range(3))
    for seed in range(20, 24):
        world.form_version(session, project, seed)


def test_a_self_trained_model_follows_and_must_pass_the_same_gate(
    services, session, project, with_pool
):
    plain, followed = consider(services, project)
    assert (plain.state, followed.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert [model_of(session, run).kind for run in (plain, followed)] == [
        ModelKind.TRAINED,
        ModelKind.SELF_TRAINED,
    ]
    assert followed.requested_by == "policy"
    assert model_of(session, plain).name in followed.reason
    assert len(followed.parameters["pool"]) == 4
    live = registry.live_model(session, project.id)
    assert live.id == model_of(session, followed if followed.gate_passed else plain).id
    moves = session.scalars(select(ModelAlias.recorded_by).order_by(ModelAlias.id))
    assert set(moves) == {"provisioning", "gate"}


@pytest.mark.usefixtures("quick")
def test_a_waiting_run_keeps_its_meaning_and_brings_its_own_follow_up(
    services, session, project, with_pool, monkeypatch
):
    first, one = new_run(session, project)
    real = trainer.to_bytes
    waiting: list[TrainingRun] = []

    def meanwhile(extractor):
        if not waiting:
            waiting.append(new_run(session, project)[0])
        return real(extractor)

    monkeypatch.setattr(trainer, "to_bytes", meanwhile)
    worker.execute(services, one.id)
    runs = list(session.scalars(select(TrainingRun)))
    assert {run.id for run in runs} == {first.id, waiting[0].id}
    session.refresh(waiting[0])
    assert waiting[0].parameters == {}


@pytest.mark.usefixtures("quick")
def test_without_a_pool_there_is_no_second_run(services, session, project):
    world.reviewed_forms(session, project, range(3))
    assert len(consider(services, project)) == 1
