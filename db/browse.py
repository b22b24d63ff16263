"""What the API and the console show: reads of the record for people, none of which changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.models import (
    Annotation,
    AnnotationValue,
    DocumentVersion,
    Extraction,
    Job,
    JobState,
    Metric,
    ModelAlias,
    ModelVersion,
    Prediction,
    Task,
    TrainingRun,
)
from db.registry import LIVE

Row = dict[str, Any]


def versions(session: Session, document_id: UUID) -> list[DocumentVersion]:
    """All versions of a document, newest first."""
    return list(
        session.scalars(
            select(DocumentVersion)
            .where(DocumentVersion.document_id == document_id)
            .order_by(DocumentVersion.number.desc())
        )
    )


def extractions(session: Session, version_id: UUID) -> list[tuple[Extraction, ModelVersion]]:
    """What models read from a document version, newest first."""
    rows = session.execute(
        select(Extraction, ModelVersion)
        .join(ModelVersion, ModelVersion.id == Extraction.model_version_id)
        .where(Extraction.document_version_id == version_id)
        .order_by(Extraction.id.desc())
    )
    return [(extraction, model) for extraction, model in rows]


def tasks(session: Session, version_ids: Sequence[UUID]) -> list[Task]:
    """The tasks that show or showed these versions, newest first."""
    return list(
        session.scalars(
            select(Task).where(Task.document_version_id.in_(version_ids)).order_by(Task.id.desc())
        )
    )


def annotations_of(session: Session, task_ids: Sequence[int]) -> list[Annotation]:
    """The annotations of these tasks as they stand, deleted ones too, newest first."""
    return list(
        session.scalars(
            select(Annotation)
            .where(Annotation.task_id.in_(task_ids))
            .order_by(Annotation.id.desc())
        )
    )


def annotation_values(
    session: Session, event_ids: Sequence[int]
) -> dict[int, list[AnnotationValue]]:
    """The values of annotation states by the id of their event, in the order of the page."""
    found: dict[int, list[AnnotationValue]] = {event: [] for event in event_ids}
    rows = session.scalars(
        select(AnnotationValue)
        .where(AnnotationValue.event_id.in_(event_ids))
        .order_by(AnnotationValue.page, AnnotationValue.y0, AnnotationValue.x0, AnnotationValue.id)
    )
    for row in rows:
        found[row.event_id].append(row)
    return found


def history(session: Session, document_id: UUID, *, limit: int = 200, offset: int = 0) -> list[Row]:
    """Every state of every annotation of a document, newest first, without the full results."""
    rows = session.execute(
        text(
            "SELECT h.event_id, h.label_studio_id AS annotation, h.version, h.kind, h.source, h.reviewer,"
            " h.valid_from, h.valid_to, h.occurred_at, h.was_cancelled, h.lead_time, h.changes, h.gap, h.problems,"
            " h.document_version_id, v.number AS document_version, m.name AS model_version"
            " FROM annotation_history h"
            " JOIN document_versions v ON v.id = h.document_version_id"
            " LEFT JOIN extractions x ON x.id = h.extraction_id"
            " LEFT JOIN model_versions m ON m.id = x.model_version_id"
            " WHERE h.document_id = :document_id ORDER BY h.event_id DESC LIMIT :limit OFFSET :offset"
        ),
        {"document_id": document_id, "limit": limit, "offset": offset},
    )
    return _rows(rows)


def predictions(session: Session, task_ids: Sequence[int]) -> list[Prediction]:
    """Which extractions were written to these tasks, newest first."""
    return list(
        session.scalars(
            select(Prediction)
            .where(Prediction.task_id.in_(task_ids))
            .order_by(Prediction.id.desc())
        )
    )


def jobs_on(session: Session, subjects: Sequence[str]) -> list[Job]:
    """The jobs on these subjects, newest first."""
    return list(
        session.scalars(
            select(Job).where(Job.subject.in_(subjects)).order_by(Job.created_at.desc(), Job.id)
        )
    )


def jobs(
    session: Session,
    *,
    project_id: int | None = None,
    states: Sequence[str] | None = None,
    kind: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, list[Row]]:
    """Jobs, newest first, with the name of the document they work on; and how many there are.

    ``superseded``: a later job on the same subject was asked for, so that this failure is history.
    """
    values: dict[str, Any] = {"project_id": project_id, "kind": kind}
    values = {name: value for name, value in values.items() if value is not None}
    conditions = ["true", *(f"j.{name} = :{name}" for name in values)]
    if states is not None:
        conditions.append("j.state = ANY(:states)")
        values["states"] = list(states)
    where = " AND ".join(conditions)
    total = session.execute(
        text(f"SELECT count(*) FROM jobs j WHERE {where}"),  # noqa: S608 - names of columns
        values,
    ).scalar_one()
    rows = session.execute(
        text(
            "SELECT j.*, d.id AS document_id, d.name AS document, EXISTS ("  # noqa: S608
            "  SELECT FROM jobs k WHERE k.subject = j.subject AND k.kind = j.kind"
            "  AND (k.created_at, k.id) > (j.created_at, j.id)) AS superseded"
            " FROM (SELECT * FROM jobs j"
            f" WHERE {where} ORDER BY j.created_at DESC, j.id LIMIT :limit OFFSET :offset) j"
            # The subject of a document's job is the id of its version; other subjects are other things' ids.
            " LEFT JOIN document_versions v"
            " ON v.id = CASE WHEN j.subject ~ '^[0-9a-f-]{36}$' THEN j.subject::uuid END"
            " LEFT JOIN documents d ON d.id = v.document_id ORDER BY j.created_at DESC, j.id"
        ),
        values | {"limit": limit, "offset": offset},
    )
    return total, _rows(rows)


def job_counts(session: Session) -> dict[str, int]:
    """How many jobs are in each state."""
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {state.value: int(count) for state, count in rows}


def failed_jobs(session: Session, version_id: UUID) -> list[Job]:
    """Of each kind of job on a document version the last one, if it failed for good."""
    last = (
        select(Job)
        .where(Job.subject == str(version_id))
        .ext(distinct_on(Job.kind))
        .order_by(Job.kind, Job.created_at.desc(), Job.id)
        .subquery()
    )
    return list(
        session.scalars(
            select(Job).where(Job.id.in_(select(last.c.id)), Job.state == JobState.FAILED)
        )
    )


def models(session: Session, project_id: int) -> list[Row]:
    """Every model version of a project with its newest figures over all fields, newest first."""
    rows = session.execute(
        text(
            "SELECT l.*, m.schema_version, m.artefact_sha256, m.artefact_bytes, m.created_by, m.notes, m.dataset_id"
            " FROM model_leaderboard l JOIN model_versions m ON m.id = l.model_version_id"
            " WHERE l.project_id = :project_id ORDER BY l.number DESC"
        ),
        {"project_id": project_id},
    )
    return _rows(rows)


def field_figures(session: Session, model_version_ids: Sequence[int]) -> dict[int, dict[str, Row]]:
    """Per model version and field the newest figures: {f1, precision, recall, …: {value, low, high, support}}."""
    newest = (
        select(Metric.model_version_id, func.max(Metric.id).label("last"))
        .where(Metric.model_version_id.in_(model_version_ids))
        .group_by(Metric.model_version_id)
        .subquery()
    )
    runs = (
        select(Metric.model_version_id, Metric.training_run_id)
        .join(newest, newest.c.last == Metric.id)
        .subquery()
    )
    rows = session.scalars(
        select(Metric)
        .join(
            runs,
            (runs.c.model_version_id == Metric.model_version_id)
            & (runs.c.training_run_id == Metric.training_run_id),
        )
        .where(Metric.field.is_not(None))
        .order_by(Metric.field, Metric.name)
    )
    found: dict[int, dict[str, Row]] = {key: {} for key in model_version_ids}
    for row in rows:
        found[row.model_version_id].setdefault(str(row.field), {})[row.name] = figure(row)
    return found


def run_figures(session: Session, run_ids: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, Row]]]:
    """Per run and role (candidate, live) and field ("" for all) what was measured."""
    found: dict[UUID, dict[str, dict[str, Row]]] = {key: {} for key in run_ids}
    rows = session.scalars(
        select(Metric).where(Metric.training_run_id.in_(run_ids)).order_by(Metric.id)
    )
    for row in rows:
        of_role = found[row.training_run_id].setdefault(row.role, {})
        of_role.setdefault(row.field or "", {})[row.name] = figure(row)
    return found


def figure(row: Metric) -> Row:
    return {"value": row.value, "low": row.low, "high": row.high, "support": row.support}


def alias_moves(session: Session, project_id: int, *, limit: int = 100) -> list[Row]:
    """Who made which model version live, when and why; newest first."""
    rows = session.execute(
        select(
            ModelAlias.id,
            ModelAlias.recorded_at,
            ModelAlias.recorded_by,
            ModelAlias.notes,
            ModelVersion.name.label("model_version"),
        )
        .join(ModelVersion, ModelVersion.id == ModelAlias.model_version_id)
        .where(ModelAlias.project_id == project_id, ModelAlias.alias == LIVE)
        .order_by(ModelAlias.id.desc())
        .limit(limit)
    )
    return _rows(rows)


def training(
    session: Session,
    project_id: int,
    *,
    trained: bool | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, list[Row]]:
    """Runs, and decisions not to run, newest first; and how many there are."""
    where = "project_id = :project_id" + ("" if trained is None else " AND trained = :trained")
    values: Mapping[str, Any] = {"project_id": project_id, "trained": trained}
    total = session.execute(
        text(f"SELECT count(*) FROM training_history WHERE {where}"),  # noqa: S608 - fixed sentences
        values,
    ).scalar_one()
    rows = session.execute(
        text(
            f"SELECT * FROM training_history WHERE {where}"  # noqa: S608 - fixed sentences
            " ORDER BY at DESC, training_run_id LIMIT :limit OFFSET :offset"
        ),
        {**values, "limit": limit, "offset": offset},
    )
    return total, _rows(rows)


def training_run(session: Session, run_id: UUID) -> Row:
    """The row of one run in the training history."""
    rows = session.execute(
        text("SELECT * FROM training_history WHERE training_run_id = :run_id"), {"run_id": run_id}
    )
    return _rows(rows)[0]


def run_notes(session: Session, run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """What the person who asked for a run wrote, by run: the notes stand in the job that asked the policy."""
    rows = session.execute(
        text(
            "SELECT t.subject, c.arguments ->> 'notes' FROM jobs t JOIN jobs c ON c.id = t.parent_id"
            " WHERE t.kind = 'train' AND t.subject = ANY(:subjects) AND c.arguments ->> 'notes' <> ''"
        ),
        {"subjects": [str(key) for key in run_ids]},
    )
    return {UUID(subject): notes for subject, notes in rows}


def progress(session: Session, run_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """How far running runs are: {step, done, total}."""
    rows = session.execute(
        select(TrainingRun.id, TrainingRun.progress).where(TrainingRun.id.in_(run_ids))
    )
    return {key: dict(value) for key, value in rows}


def review_progress(session: Session) -> dict[int, Row]:
    """How far the review of each project is, by project."""
    return {
        row["project_id"]: row
        for row in _rows(session.execute(text("SELECT * FROM review_progress")))
    }


def live_models(session: Session) -> dict[int, Row]:
    """The model version that answers now, by project."""
    return {
        row["project_id"]: row for row in _rows(session.execute(text("SELECT * FROM live_models")))
    }


def sync_health(session: Session) -> list[Row]:
    """The view of that name."""
    return _rows(session.execute(text("SELECT * FROM sync_health ORDER BY project_id NULLS LAST")))


def _rows(result: Any) -> list[Row]:
    return [dict(row) for row in result.mappings()]
