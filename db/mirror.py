"""Tasks and annotations as the mirror reads them, many at a time; how it writes them is in ``db.mirror_rows``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from db.models import (
    Annotation,
    AnnotationEvent,
    DocumentVersion,
    Extraction,
    ExtractionValue,
    ModelVersion,
    PageImage,
    Prediction,
    Task,
)


def lock_tasks(session: Session, project_id: int) -> None:
    """Serialises writers of a project's tasks and annotations until the transaction ends."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('fieldloop.tasks'), :project)"),
        {"project": project_id},
    )


def clock(session: Session) -> datetime:
    """The record's clock."""
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


@dataclass(frozen=True)
class TaskRow:
    """A task as recorded."""

    id: int
    label_studio_id: int
    document_version_id: UUID | None
    data: dict[str, Any]
    source_created_at: datetime | None
    source_updated_at: datetime | None
    first_seen_at: datetime
    deleted_at: datetime | None
    is_labeled: bool


def tasks_of(session: Session, project_id: int, label_studio_ids: Collection[int]) -> list[TaskRow]:
    """Every row of these tasks, deleted ones too, oldest first."""
    rows = session.execute(
        select(
            Task.id,
            Task.label_studio_id,
            Task.document_version_id,
            Task.data,
            Task.source_created_at,
            Task.source_updated_at,
            Task.first_seen_at,
            Task.deleted_at,
            Task.is_labeled,
        )
        .where(
            Task.project_id == project_id,
            Task.label_studio_id == func.any(list(label_studio_ids)),
        )
        .order_by(Task.id)
    )
    return [TaskRow(*row) for row in rows]


def updated_at_of_tasks(
    session: Session, project_id: int, label_studio_ids: Collection[int]
) -> dict[int, datetime | None]:
    """Label Studio's time of each of these tasks that is recorded and not deleted."""
    rows = session.execute(
        select(Task.label_studio_id, Task.source_updated_at).where(
            Task.project_id == project_id,
            Task.label_studio_id == func.any(list(label_studio_ids)),
            Task.deleted_at.is_(None),
        )
    )
    return dict(rows.all())


def tasks_between(
    session: Session, project_id: int, after: int, upto: int | None
) -> dict[int, datetime | None]:
    """Label Studio's time of the recorded, undeleted tasks with ids above ``after`` and not above ``upto``."""
    query = select(Task.label_studio_id, Task.source_updated_at).where(
        Task.project_id == project_id, Task.deleted_at.is_(None), Task.label_studio_id > after
    )
    if upto is not None:
        query = query.where(Task.label_studio_id <= upto)
    return dict(session.execute(query).all())


def some_tasks(session: Session, project_id: int, limit: int) -> list[int]:
    """Label Studio's ids of some tasks that were not deleted."""
    return list(
        session.scalars(
            select(Task.label_studio_id)
            .where(Task.project_id == project_id, Task.deleted_at.is_(None))
            .order_by(Task.label_studio_id)
            .limit(limit)
        )
    )


def count_tasks(session: Session, project_id: int) -> int:
    return session.execute(
        select(func.count()).where(Task.project_id == project_id, Task.deleted_at.is_(None))
    ).scalar_one()


def tasks_of_annotations(
    session: Session, project_id: int, annotations: Collection[int]
) -> dict[int, int]:
    """Label Studio's task of each of these annotations that stands in the record."""
    rows = session.execute(
        select(Annotation.label_studio_id, Task.label_studio_id)
        .join(Task, Task.id == Annotation.task_id)
        .where(
            Annotation.project_id == project_id,
            Annotation.label_studio_id == func.any(list(annotations)),
            Annotation.deleted_at.is_(None),
        )
    )
    return dict(rows.all())


def standing_annotations(
    session: Session, project_id: int, tasks: Collection[int]
) -> dict[int, int]:
    """The recorded annotations of these tasks that were not deleted: annotation → task, Label Studio's ids."""
    rows = session.execute(
        select(Annotation.label_studio_id, Task.label_studio_id)
        .join(Task, Task.id == Annotation.task_id)
        .where(
            Task.project_id == project_id,
            Task.label_studio_id == func.any(list(tasks)),
            Annotation.deleted_at.is_(None),
        )
    )
    return dict(rows.all())


@dataclass(frozen=True)
class Standing:
    """An annotation as the record says it stands, for comparing it with Label Studio's."""

    task: int
    label_studio_id: int
    source_created_at: datetime
    content_sha256: str
    result: list[Any]
    was_cancelled: bool
    extra: dict[str, Any]


def standing_contents(session: Session, project_id: int, tasks: Collection[int]) -> list[Standing]:
    """The standing annotations of these tasks (Label Studio's ids) with their contents."""
    rows = session.execute(
        select(
            Task.label_studio_id,
            Annotation.label_studio_id,
            Annotation.source_created_at,
            Annotation.content_sha256,
            Annotation.result,
            Annotation.was_cancelled,
            Annotation.extra,
        )
        .join(Task, Task.id == Annotation.task_id)
        .where(
            Task.project_id == project_id,
            Task.label_studio_id == func.any(list(tasks)),
            Annotation.deleted_at.is_(None),
        )
    )
    return [Standing(*row) for row in rows]


@dataclass(frozen=True)
class AnnotationRow:
    """The current state of an annotation without its content, and when that state began."""

    row_id: int
    label_studio_id: int
    task_id: int
    source_created_at: datetime
    source_updated_at: datetime
    content_sha256: str
    ground_truth: bool
    last_event_id: int
    occurred_at: datetime
    updated_by: str | None
    deleted: bool


def annotations_of(
    session: Session, project_id: int, tasks: Collection[int], label_studio_ids: Collection[int]
) -> list[AnnotationRow]:
    """Annotations of these tasks (``tasks.id``), and those with these Label Studio ids, oldest row first."""
    rows = session.execute(
        select(
            Annotation.id,
            Annotation.label_studio_id,
            Annotation.task_id,
            Annotation.source_created_at,
            Annotation.source_updated_at,
            Annotation.content_sha256,
            Annotation.ground_truth,
            Annotation.last_event_id,
            AnnotationEvent.occurred_at,
            Annotation.updated_by,
            Annotation.deleted_at.is_not(None),
        )
        .join(AnnotationEvent, AnnotationEvent.id == Annotation.last_event_id)
        .where(
            Annotation.project_id == project_id,
            (Annotation.task_id == func.any(list(tasks)))
            | (Annotation.label_studio_id == func.any(list(label_studio_ids))),
        )
        .order_by(Annotation.id)
    )
    return [AnnotationRow(*row) for row in rows]


def distrust(session: Session, project_id: int, annotations: Collection[int]) -> None:
    """Have the next look record these annotations again: their contents here are not what their hashes say."""
    session.execute(
        update(Annotation)
        .where(
            Annotation.project_id == project_id,
            Annotation.label_studio_id == func.any(list(annotations)),
            Annotation.deleted_at.is_(None),
        )
        .values(content_sha256="damaged")
    )


@dataclass(frozen=True)
class LastEvent:
    """The last state in the history of an annotation whose current row is not there."""

    id: int
    label_studio_id: int
    task_id: int
    occurred_at: datetime
    source_updated_at: datetime
    content_sha256: str
    actor: str | None


def last_events_of(
    session: Session, project_id: int, label_studio_ids: Collection[int]
) -> list[LastEvent]:
    """The last state of each of these annotations that has any history."""
    rows = session.execute(
        select(
            AnnotationEvent.id,
            AnnotationEvent.label_studio_id,
            AnnotationEvent.task_id,
            AnnotationEvent.occurred_at,
            func.coalesce(AnnotationEvent.source_updated_at, AnnotationEvent.occurred_at),
            AnnotationEvent.content_sha256,
            AnnotationEvent.actor,
        )
        .where(
            AnnotationEvent.project_id == project_id,
            AnnotationEvent.label_studio_id == func.any(list(label_studio_ids)),
            ~AnnotationEvent.late,
        )
        .order_by(AnnotationEvent.id)
    )
    return list({row[1]: LastEvent(*row) for row in rows}.values())


def marks_of(
    session: Session, project_id: int, label_studio_ids: Collection[int]
) -> dict[int, set[tuple[datetime, str]]]:
    """Every state on record of these annotations, as (updated_at, hash)."""
    rows = session.execute(
        select(
            AnnotationEvent.label_studio_id,
            func.coalesce(AnnotationEvent.source_updated_at, AnnotationEvent.occurred_at),
            AnnotationEvent.content_sha256,
        ).where(
            AnnotationEvent.project_id == project_id,
            AnnotationEvent.label_studio_id == func.any(list(label_studio_ids)),
            AnnotationEvent.kind != "deleted",
        )
    )
    found: dict[int, set[tuple[datetime, str]]] = {}
    for number, updated, sha256 in rows:
        found.setdefault(number, set()).add((updated, sha256))
    return found


@dataclass(frozen=True)
class Content:
    """What a recorded state said in full."""

    result: list[Any]
    was_cancelled: bool
    content_sha256: str
    lead_time: float | None
    parent_prediction_id: int | None
    extraction_id: int | None


def contents_of(session: Session, events: Collection[int]) -> dict[int, Content]:
    """The contents of these states, by event id."""
    if not events:
        return {}
    rows = session.execute(
        select(
            AnnotationEvent.id,
            AnnotationEvent.result,
            AnnotationEvent.was_cancelled,
            AnnotationEvent.content_sha256,
            AnnotationEvent.lead_time,
            AnnotationEvent.parent_prediction_id,
            AnnotationEvent.extraction_id,
        ).where(AnnotationEvent.id == func.any(list(events)))
    )
    return {row[0]: Content(row[1] or [], *row[2:]) for row in rows}


def known_versions(session: Session, project_id: int, versions: Collection[UUID]) -> set[UUID]:
    """Those of these document versions that are this project's."""
    if not versions:
        return set()
    return set(
        session.scalars(
            select(DocumentVersion.id).where(
                DocumentVersion.project_id == project_id,
                DocumentVersion.id == func.any(list(versions)),
            )
        )
    )


def page_sizes_of(
    session: Session, versions: Collection[UUID]
) -> dict[UUID, list[tuple[float, float]]]:
    """Width and height in points of the pages of these document versions, in page order."""
    found: dict[UUID, list[tuple[float, float]]] = {}
    if versions:
        for version, width, height in session.execute(
            select(PageImage.document_version_id, PageImage.width_pt, PageImage.height_pt)
            .where(PageImage.document_version_id == func.any(list(versions)))
            .order_by(PageImage.document_version_id, PageImage.page)
        ):
            found.setdefault(version, []).append((width, height))
    return found


@dataclass(frozen=True)
class ExtractionRow:
    """An extraction of a document version by a model version."""

    id: int
    document_version_id: UUID
    model_version: str


def extractions_of(session: Session, versions: Collection[UUID]) -> list[ExtractionRow]:
    """Everything models read from these document versions, oldest first."""
    if not versions:
        return []
    rows = session.execute(
        select(Extraction.id, Extraction.document_version_id, ModelVersion.name)
        .join(ModelVersion, ModelVersion.id == Extraction.model_version_id)
        .where(Extraction.document_version_id == func.any(list(versions)))
        .order_by(Extraction.id)
    )
    return [ExtractionRow(*row) for row in rows]


def predictions_of(session: Session, tasks: Collection[int]) -> list[Prediction]:
    """The predictions recorded for these tasks (``tasks.id``)."""
    if not tasks:
        return []
    return list(
        session.scalars(
            select(Prediction)
            .where(Prediction.task_id == func.any(list(tasks)))
            .order_by(Prediction.id)
        )
    )


def values_by_extraction(
    session: Session, extractions: Collection[int]
) -> dict[int, list[ExtractionValue]]:
    """The values of these extractions, each in the order the model gave them."""
    found: dict[int, list[ExtractionValue]] = {}
    if extractions:
        for value in session.scalars(
            select(ExtractionValue)
            .where(ExtractionValue.extraction_id == func.any(list(extractions)))
            .order_by(ExtractionValue.id)
        ):
            found.setdefault(value.extraction_id, []).append(value)
    return found


_FLAWS = """
SELECT 'Annotation ' || a.label_studio_id || ' shows another state than the last one in its history.' AS flaw
FROM annotations a
JOIN annotation_events e ON e.id = a.last_event_id
WHERE a.project_id = :project
  AND (e.late OR e.label_studio_id <> a.label_studio_id OR e.content_sha256 <> a.content_sha256
       OR (e.kind = 'deleted') <> (a.deleted_at IS NOT NULL)
       OR EXISTS (SELECT FROM annotation_events f
                  WHERE f.task_id = e.task_id AND f.label_studio_id = e.label_studio_id AND NOT f.late
                    AND f.id > e.id))
UNION ALL
SELECT 'Annotation ' || h.label_studio_id || ' has states whose times overlap.'
FROM (SELECT e.label_studio_id, e.occurred_at, lag(e.occurred_at) OVER w AS before
      FROM annotation_events e WHERE e.project_id = :project AND NOT e.late
      WINDOW w AS (PARTITION BY e.task_id, e.label_studio_id ORDER BY e.id)) h
WHERE h.occurred_at <= h.before
LIMIT 100
"""


def flaws_of_history(session: Session, project_id: int) -> list[str]:
    """What in the history contradicts itself, in sentences; there must be none."""
    return list(session.scalars(text(_FLAWS), {"project": project_id}))
