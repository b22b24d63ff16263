"""What the demo asks the record; each function takes a session and only reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.extractions import values_of
from db.models import (
    Annotation,
    Document,
    DocumentVersion,
    Extraction,
    ExtractionValue,
    ModelVersion,
    Prediction,
    ReadingState,
    RetrainDecision,
    RunState,
    Task,
    TrainingRun,
)
from fieldloop.demo.samples import PREFIX, name_prefix, seed_of
from ml_backend.extraction import fields


@dataclass(frozen=True)
class Shown:
    """Where a document has got to: ``task`` is Label Studio's id."""

    state: ReadingState
    problem: str | None
    task: int | None
    reviewed: bool


def others(session: Session, project_id: int) -> int:
    """Documents of the project that no demo has uploaded."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Document)
            .where(Document.project_id == project_id, ~Document.name.like(f"{PREFIX}-%"))
        )
        or 0
    )


def unfinished_seed(session: Session, project_id: int, reviewed: int) -> int:
    """The newest seed if fewer than ``reviewed`` of its documents are reviewed, else the next one."""
    names = session.scalars(
        select(Document.name).where(
            Document.project_id == project_id, Document.name.like(f"{PREFIX}-%")
        )
    )
    newest = max((seed for name in names if (seed := seed_of(name)) is not None), default=0)
    if newest and reviewed_of(session, project_id, newest) < reviewed:
        return newest
    return newest + 1


def reviewed_of(session: Session, project_id: int, seed: int) -> int:
    """Documents of a seed that have an annotation."""
    return (
        session.scalar(
            select(func.count(func.distinct(Document.id)))
            .join(DocumentVersion, DocumentVersion.document_id == Document.id)
            .join(Task, Task.document_version_id == DocumentVersion.id)
            .join(Annotation, Annotation.task_id == Task.id)
            .where(
                Document.project_id == project_id,
                Document.name.like(f"{name_prefix(seed)}%"),
                Annotation.deleted_at.is_(None),
            )
        )
        or 0
    )


def shown(session: Session, versions: Collection[UUID]) -> dict[UUID, Shown]:
    """How far each document version is."""
    annotated = (
        select(Annotation.id)
        .where(
            Annotation.task_id == Task.id,
            Annotation.deleted_at.is_(None),
            ~Annotation.was_cancelled,
        )
        .exists()
    )
    rows = session.execute(
        select(
            DocumentVersion.id,
            DocumentVersion.state,
            DocumentVersion.error_message,
            func.max(Task.label_studio_id),
            func.bool_or(annotated),
        )
        .outerjoin(
            Task, (Task.document_version_id == DocumentVersion.id) & Task.deleted_at.is_(None)
        )
        .where(DocumentVersion.id.in_(versions))
        .group_by(DocumentVersion.id)
    )
    return {
        version: Shown(state, problem, task, bool(reviewed))
        for version, state, problem, task, reviewed in rows
    }


def mirrored(session: Session, project_id: int, annotations: Collection[int]) -> int:
    """How many of these annotations (Label Studio's ids) the record has."""
    return (
        session.scalar(
            select(func.count(func.distinct(Annotation.label_studio_id)))
            .join(Task, Task.id == Annotation.task_id)
            .where(
                Task.project_id == project_id,
                Annotation.label_studio_id.in_(annotations),
                Annotation.deleted_at.is_(None),
            )
        )
        or 0
    )


def now(session: Session) -> datetime:
    """Postgres's clock, by which the record's times are written."""
    moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return moment


@dataclass(frozen=True)
class Run:
    """A training run as far as it has come; ``model`` is the version it made."""

    id: UUID
    state: RunState
    reason: str
    progress: str
    error: str | None
    gate_passed: bool | None
    gate_reason: str | None
    model: str | None
    kind: str | None
    seconds: float | None


def runs_since(session: Session, project_id: int, moment: datetime) -> list[Run]:
    """Runs asked for since then, oldest first."""
    rows = session.execute(
        select(TrainingRun, ModelVersion)
        .outerjoin(ModelVersion, ModelVersion.training_run_id == TrainingRun.id)
        .where(TrainingRun.project_id == project_id, TrainingRun.requested_at >= moment)
        .order_by(TrainingRun.requested_at)
    )
    return [
        Run(
            id=run.id,
            state=run.state,
            reason=run.reason,
            progress=_progress(run.progress),
            error=run.error,
            gate_passed=run.gate_passed,
            gate_reason=run.gate_reason,
            model=model.name if model is not None else None,
            kind=model.kind.value if model is not None else None,
            seconds=(run.finished_at - run.started_at).total_seconds()
            if run.started_at and run.finished_at
            else None,
        )
        for run, model in rows
    ]


def _progress(progress: Mapping[str, Any]) -> str:
    step, done, total = (progress.get(name) for name in ("step", "done", "total"))
    return f"{step} ({done} of {total})" if step and total else str(step or "")


def last_decision(session: Session, project_id: int) -> str | None:
    """Why the policy does or does not train at the moment."""
    return session.scalar(
        select(RetrainDecision.reason)
        .where(RetrainDecision.project_id == project_id)
        .order_by(RetrainDecision.id.desc())
        .limit(1)
    )


def refreshed(session: Session, versions: Collection[UUID], model_version_id: int) -> int:
    """How many of these documents show a prediction of this model in Label Studio."""
    return (
        session.scalar(
            select(func.count(func.distinct(Extraction.document_version_id)))
            .join(Prediction, Prediction.extraction_id == Extraction.id)
            .where(
                Extraction.document_version_id.in_(versions),
                Extraction.model_version_id == model_version_id,
            )
        )
        or 0
    )


def first_models(session: Session, versions: Collection[UUID]) -> Mapping[UUID, ModelVersion]:
    """The model that read each document first: what reviewers found filled in."""
    rows = session.execute(
        select(Extraction.document_version_id, ModelVersion)
        .join(ModelVersion, ModelVersion.id == Extraction.model_version_id)
        .where(Extraction.document_version_id.in_(versions))
        .order_by(Extraction.id.desc())
    )
    return {version: model for version, model in rows}  # noqa: C416 - the oldest comes last and stays


def answers(
    session: Session, names: Mapping[UUID, str], models: Mapping[UUID, int]
) -> dict[str, fields.Extraction]:
    """Document name → what the given model version read from it; left out where it read nothing."""
    found: dict[str, fields.Extraction] = {}
    rows = session.scalars(
        select(Extraction).where(Extraction.document_version_id.in_(list(names)))
    )
    for row in rows:
        if models.get(row.document_version_id) != row.model_version_id:
            continue
        name = names[row.document_version_id]
        found[name] = fields.Extraction(name, _values(values_of(session, row.id)), dict(row.absent))
    return found


def _values(rows: Sequence[ExtractionValue]) -> tuple[fields.Value, ...]:
    return tuple(
        fields.Value(
            field=row.field,
            text=row.text,
            normalised=row.normalised,
            problem=row.problem,
            spans=tuple(fields.Span(span["page"], tuple(span["box"])) for span in row.spans),
            confidence=row.confidence,
            row=row.row,
            filled=row.filled,
        )
        for row in rows
    )
