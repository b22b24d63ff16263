"""Datasets, training runs, model versions and the live alias."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, cast, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from db.models import (
    Annotation,
    AnnotationEvent,
    Dataset,
    DatasetMember,
    DocumentVersion,
    Job,
    JobState,
    Metric,
    ModelAlias,
    ModelKind,
    ModelVersion,
    ReadingState,
    RetrainDecision,
    RunState,
    Task,
    TrainingRun,
)

LIVE = "live"
SILENCE = timedelta(seconds=45)
"""A run without a sign of life for this long counts as dead."""
FOLDS = 5
NOT_LEARNT = ("Wrong type", "Unreadable")
"""A reviewer's choices that say: this document is no example."""
_now = func.clock_timestamp


@dataclass(frozen=True)
class Member:
    """One reviewed document: its version, and the annotation state that speaks for it."""

    document_version_id: UUID
    annotation_event_id: int
    sha256: str

    @property
    def fold(self) -> int:
        """The held-out fold, from the hash of the bytes: a document never changes sides."""
        return int(self.sha256[:8], 16) % FOLDS


def reviewed(session: Session, project_id: int) -> list[Member]:
    """The reviewed documents of a project in a fixed order: one annotation each, the latest submitted.

    Skipped and deleted annotations, deleted tasks, documents that are not read and those a reviewer called
    unreadable or of the wrong type are left out.
    """
    rows = session.execute(
        select(DocumentVersion.id, Annotation.last_event_id, DocumentVersion.sha256)
        .join(Task, Task.document_version_id == DocumentVersion.id)
        .join(Annotation, Annotation.task_id == Task.id)
        .where(
            Task.project_id == project_id,
            Task.deleted_at.is_(None),
            Annotation.deleted_at.is_(None),
            ~Annotation.was_cancelled,
            or_(Annotation.status.is_(None), Annotation.status.not_in(NOT_LEARNT)),
            DocumentVersion.state.in_((ReadingState.READ, ReadingState.NEEDS_OCR)),
        )
        .ext(distinct_on(DocumentVersion.id))
        .order_by(
            DocumentVersion.id,
            Annotation.ground_truth.desc(),
            Annotation.source_updated_at.desc(),
            Annotation.id.desc(),
        )
    )
    return sorted((Member(*row) for row in rows), key=lambda member: member.sha256)


def freeze_dataset(
    session: Session,
    project_id: int,
    schema_version: int,
    members: Sequence[Member],
    *,
    created_by: str,
    also: Sequence[str] = (),
) -> Dataset:
    """The dataset of exactly these members; the same content again is the same row.

    ``also``: hashes of whatever else the fit reads, so that an equal dataset means an equal model.
    """
    content = [
        schema_version,
        [[m.sha256, m.annotation_event_id, m.fold] for m in members],
        list(also),
    ]
    sha256 = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    dataset: Dataset | None = session.scalar(
        insert(Dataset)
        .values(
            project_id=project_id,
            sha256=sha256,
            schema_version=schema_version,
            document_count=len(members),
            created_by=created_by,
        )
        .on_conflict_do_nothing()
        .returning(Dataset)
    )
    if dataset is None:
        return session.scalars(
            select(Dataset).where(Dataset.project_id == project_id, Dataset.sha256 == sha256)
        ).one()
    session.add_all(
        DatasetMember(
            dataset_id=dataset.id,
            position=position,
            document_version_id=member.document_version_id,
            annotation_event_id=member.annotation_event_id,
            fold=member.fold,
        )
        for position, member in enumerate(members)
    )
    session.flush()
    return dataset


def request_run(
    session: Session, project_id: int, *, reason: str, requested_by: str, seed: int = 0
) -> TrainingRun:
    """A queued run; the one already queued if there is one, since it will read the newest state anyway."""
    lock_project(session, project_id)
    waiting = queued_run(session, project_id)
    if waiting is not None:
        return waiting
    run = TrainingRun(project_id=project_id, reason=reason, requested_by=requested_by, seed=seed)
    session.add(run)
    session.flush()
    return run


def queued_run(session: Session, project_id: int) -> TrainingRun | None:
    """The run of a project that waits for a worker."""
    return session.scalar(
        select(TrainingRun)
        .where(TrainingRun.project_id == project_id, TrainingRun.state == RunState.QUEUED)
        .order_by(TrainingRun.requested_at)
        .limit(1)
    )


def lock_project(session: Session, project_id: int) -> None:
    """Decisions about a project's training are made one at a time; released at the end of the transaction."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('fieldloop.training'), :project)"),
        {"project": project_id},
    )


def start_run(session: Session, run_id: UUID, silence: timedelta = SILENCE) -> TrainingRun | None:
    """Take a queued run; None if it is not queued, or another run of the project is alive."""
    run = session.get_one(TrainingRun, run_id)
    lock_project(session, run.project_id)
    reap_runs(session, silence, project_id=run.project_id)
    busy = session.scalar(
        select(TrainingRun.id).where(
            TrainingRun.project_id == run.project_id, TrainingRun.state == RunState.RUNNING
        )
    )
    if busy is not None:
        return None
    return session.scalar(
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.state == RunState.QUEUED)
        .values(state=RunState.RUNNING, started_at=_now(), heartbeat_at=_now())
        .returning(TrainingRun),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )


def reap_runs(
    session: Session, silence: timedelta = SILENCE, *, project_id: int | None = None
) -> list[UUID]:
    """See to the runs whose worker died; returns their ids.

    A running run without a sign of life for ``silence`` is queued again if its job will be tried again, and
    failed otherwise. A queued run that no job will ever take up is failed too.
    """
    will_be_tried = (
        select(Job.id)
        .where(
            Job.kind == "train",
            Job.subject == cast(TrainingRun.id, Text),
            or_(
                Job.state == JobState.QUEUED,
                and_(Job.state == JobState.RUNNING, Job.attempts < Job.max_attempts),
            ),
        )
        .exists()
    )
    long_ago = _now() - silence
    silent = and_(
        TrainingRun.state == RunState.RUNNING,
        or_(TrainingRun.heartbeat_at.is_(None), TrainingRun.heartbeat_at < long_ago),
    )
    forgotten = and_(TrainingRun.state == RunState.QUEUED, TrainingRun.requested_at < long_ago)
    queued_again: dict[str, Any] = {
        "state": RunState.QUEUED,
        "started_at": None,
        "heartbeat_at": None,
        "progress": {},
    }
    failed = {
        "state": RunState.FAILED,
        "finished_at": _now(),
        "progress": {},
        "error": "The worker that ran it died each time it was tried; the worker's log says more.",
    }
    reaped: list[UUID] = []
    for condition, values in (
        (and_(silent, will_be_tried), queued_again),
        (and_(or_(silent, forgotten), ~will_be_tried), failed),
    ):
        statement = update(TrainingRun).where(condition).values(**values).returning(TrainingRun.id)
        if project_id is not None:
            statement = statement.where(TrainingRun.project_id == project_id)
        reaped += session.scalars(statement, execution_options={"synchronize_session": False})
    return reaped


def heartbeat(session: Session, run_id: UUID, progress: Mapping[str, Any] | None = None) -> bool:
    """A sign of life from a running run; False if it is not running any more and must stop."""
    values: dict[str, Any] = {"heartbeat_at": _now()}
    if progress is not None:
        values["progress"] = dict(progress)
    return _if_running(session, run_id, values)


def bind_dataset(
    session: Session, run_id: UUID, dataset_id: int, parameters: Mapping[str, Any]
) -> bool:
    """Say what a running run reads and how it fits; False if it is not running any more."""
    values = {"dataset_id": dataset_id, "parameters": dict(parameters), "heartbeat_at": _now()}
    return _if_running(session, run_id, values)


def finish_run(session: Session, run_id: UUID, *, gate_passed: bool, gate_reason: str) -> bool:
    """The run ended with a model version; False if it had been declared dead meanwhile."""
    values = {
        "state": RunState.SUCCEEDED,
        "finished_at": _now(),
        "gate_passed": gate_passed,
        "gate_reason": gate_reason,
        "progress": {},
    }
    return _if_running(session, run_id, values)


def fail_run(session: Session, run_id: UUID, error: str) -> bool:
    """The run ended without a model, for the reason given; one that never began too."""
    values = {"state": RunState.FAILED, "finished_at": _now(), "error": error, "progress": {}}
    return _if_running(session, run_id, values, (RunState.QUEUED, RunState.RUNNING))


def _if_running(
    session: Session,
    run_id: UUID,
    values: Mapping[str, Any],
    states: Sequence[RunState] = (RunState.RUNNING,),
) -> bool:
    changed = session.scalar(
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.state.in_(states))
        .values(**values)
        .returning(TrainingRun.id),
        execution_options={"synchronize_session": False},
    )
    return changed is not None


@dataclass(frozen=True)
class NewModel:
    """A model version to register: the bytes are already a blob."""

    kind: ModelKind
    schema_version: int
    created_by: str
    artefact_sha256: str | None = None
    artefact_bytes: int | None = None
    training_run_id: UUID | None = None
    dataset_id: int | None = None
    libraries: Mapping[str, str] | None = None
    notes: str | None = None


def register_model(session: Session, project_id: int, slug: str, new: NewModel) -> ModelVersion:
    """Add an immutable model version; its name is slug, number, and the first digits of its hash."""
    lock_project(session, project_id)
    last = session.scalar(
        select(func.max(ModelVersion.number)).where(ModelVersion.project_id == project_id)
    )
    number = 0 if last is None else last + 1
    tail = new.artefact_sha256[:8] if new.artefact_sha256 else "zero-shot"
    version = ModelVersion(
        project_id=project_id,
        number=number,
        name=f"{slug}-{number}-{tail}",
        kind=new.kind,
        schema_version=new.schema_version,
        training_run_id=new.training_run_id,
        dataset_id=new.dataset_id,
        artefact_sha256=new.artefact_sha256,
        artefact_bytes=new.artefact_bytes,
        libraries=dict(new.libraries or {}),
        created_by=new.created_by,
        notes=new.notes,
    )
    session.add(version)
    session.flush()
    return version


def point_alias(
    session: Session, version: ModelVersion, *, by: str, notes: str, alias: str = LIVE
) -> ModelAlias:
    """Move an alias to this version: a new row, the older ones stay."""
    row = ModelAlias(
        project_id=version.project_id,
        alias=alias,
        model_version_id=version.id,
        recorded_by=by,
        notes=notes,
    )
    session.add(row)
    session.flush()
    return row


def live_model(session: Session, project_id: int, alias: str = LIVE) -> ModelVersion | None:
    """The model version an alias names now."""
    return session.scalar(
        select(ModelVersion)
        .join(ModelAlias, ModelAlias.model_version_id == ModelVersion.id)
        .where(ModelAlias.project_id == project_id, ModelAlias.alias == alias)
        .order_by(ModelAlias.id.desc())
        .limit(1)
    )


def previous_live(session: Session, project_id: int) -> ModelVersion | None:
    """The version that was live before the present one: where a rollback goes."""
    now = live_model(session, project_id)
    if now is None:
        return None
    return session.scalar(
        select(ModelVersion)
        .join(ModelAlias, ModelAlias.model_version_id == ModelVersion.id)
        .where(
            ModelAlias.project_id == project_id,
            ModelAlias.alias == LIVE,
            ModelAlias.model_version_id != now.id,
        )
        .order_by(ModelAlias.id.desc())
        .limit(1)
    )


@dataclass(frozen=True)
class Figure:
    """One measured figure; ``field`` None: over all fields."""

    field: str | None
    name: str
    value: float
    support: int
    low: float | None = None
    high: float | None = None


def record_metrics(
    session: Session, run_id: UUID, model_version_id: int, role: str, figures: Sequence[Figure]
) -> None:
    """Keep what was measured in a run on one model; ``role`` is candidate or live."""
    session.add_all(
        Metric(
            training_run_id=run_id,
            model_version_id=model_version_id,
            role=role,
            field=figure.field,
            name=figure.name,
            value=figure.value,
            support=figure.support,
            low=figure.low,
            high=figure.high,
        )
        for figure in figures
    )
    session.flush()


def record_decision(
    session: Session,
    project_id: int,
    *,
    train: bool,
    reason: str,
    figures: Mapping[str, Any],
    run_id: UUID | None = None,
) -> bool:
    """Keep the policy's answer if it differs from its last one; a repeated answer says nothing new."""
    last = session.scalar(
        select(RetrainDecision)
        .where(RetrainDecision.project_id == project_id)
        .order_by(RetrainDecision.id.desc())
        .limit(1)
    )
    if last is not None and not train and not last.train and last.reason == reason:
        return False
    session.add(
        RetrainDecision(
            project_id=project_id,
            train=train,
            reason=reason,
            figures=dict(figures),
            training_run_id=run_id,
        )
    )
    session.flush()
    return True


@dataclass(frozen=True)
class TrainingSituation:
    """What the retrain policy looks at. Times in seconds, None where it never happened."""

    reviewed: int
    new_answers: int
    """Reviewed documents whose answer the last run did not read, and answers it read that are gone."""
    since_last_event: float | None
    oldest_new_answer: float | None
    since_last_run: float | None
    running: bool
    queued: bool


def training_situation(session: Session, project_id: int) -> TrainingSituation:
    """The figures of a project, by Postgres's clock."""
    members = reviewed(session, project_id)
    now = {member.document_version_id: member.annotation_event_id for member in members}
    then = _last_read(session, project_id)
    new = [event for version, event in now.items() if then.get(version) != event]
    gone = then.keys() - now.keys()
    age = func.extract("epoch", _now() - func.max(AnnotationEvent.recorded_at))
    newest = session.scalar(select(age).where(AnnotationEvent.project_id == project_id))
    age = func.extract("epoch", _now() - func.min(AnnotationEvent.recorded_at))
    oldest = session.scalar(select(age).where(AnnotationEvent.id.in_(new))) if new else None
    ended = session.scalar(
        select(func.extract("epoch", _now() - func.max(TrainingRun.finished_at))).where(
            TrainingRun.project_id == project_id
        )
    )
    states = set(
        session.scalars(
            select(TrainingRun.state).where(
                TrainingRun.project_id == project_id,
                TrainingRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
            )
        )
    )
    return TrainingSituation(
        reviewed=len(members),
        new_answers=len(new) + len(gone),
        since_last_event=None if newest is None else float(newest),
        oldest_new_answer=None if oldest is None else float(oldest),
        since_last_run=None if ended is None else float(ended),
        running=RunState.RUNNING in states,
        queued=RunState.QUEUED in states,
    )


def _last_read(session: Session, project_id: int) -> dict[UUID, int]:
    """Document version → annotation state, as the last run that froze a dataset read them.

    By content, not by time: an event may be recorded before a run starts and be committed after it looked.
    """
    dataset = session.scalar(
        select(TrainingRun.dataset_id)
        .where(TrainingRun.project_id == project_id, TrainingRun.dataset_id.is_not(None))
        .order_by(TrainingRun.requested_at.desc())
        .limit(1)
    )
    members = session.scalars(select(DatasetMember).where(DatasetMember.dataset_id == dataset))
    return {member.document_version_id: member.annotation_event_id for member in members}
