"""What models read: one extraction per document version and model version, and the predictions made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from db.models import (
    Annotation,
    DocumentVersion,
    Extraction,
    ExtractionValue,
    ModelVersion,
    Prediction,
    ReadingState,
    Task,
)

READABLE = (ReadingState.READ, ReadingState.NEEDS_OCR)
"""States in which a document version has words and page images."""


@dataclass(frozen=True)
class ValueRow:
    """One value as it is stored. ``spans``: [{page, box: [x0, y0, x1, y1]}], points; pages 0-based."""

    region_id: str
    field: str
    row: int | None
    text: str
    normalised: str | None
    problem: str | None
    page: int
    spans: Sequence[Mapping[str, Any]]
    confidence: float
    filled: bool
    alternatives: Sequence[Mapping[str, Any]]


def region_id(model_version: str, position: int) -> str:
    """The id of the region that shows the value at ``position`` of an extraction by this model version.

    Ten characters, as Label Studio's own. It does not depend on the value, so that a region keeps its id
    through the reviewer's corrections, and differs between model versions, so that a correction is
    compared with the prediction it began from.
    """
    return hashlib.sha256(f"{model_version}/{position}".encode()).hexdigest()[:10]


def find(session: Session, version_id: UUID, model_version_id: int) -> Extraction | None:
    """What this model version read from this document version, if it did."""
    return session.scalar(
        select(Extraction).where(
            Extraction.document_version_id == version_id,
            Extraction.model_version_id == model_version_id,
        )
    )


def record(
    session: Session,
    version_id: UUID,
    model_version_id: int,
    values: Sequence[ValueRow],
    absent: Mapping[str, float],
    *,
    seconds: float | None = None,
) -> Extraction:
    """Keep an extraction. One that is there already stays as it is: a model version says a thing once."""
    scores = [value.confidence for value in values]
    made: Extraction | None = session.scalar(
        postgresql.insert(Extraction)
        .values(
            document_version_id=version_id,
            model_version_id=model_version_id,
            seconds=seconds,
            absent=dict(absent),
            score=min(scores) if scores else None,
        )
        .on_conflict_do_nothing()
        .returning(Extraction)
    )
    if made is None:
        return session.scalars(
            select(Extraction).where(
                Extraction.document_version_id == version_id,
                Extraction.model_version_id == model_version_id,
            )
        ).one()
    if values:
        session.execute(
            insert(ExtractionValue),
            [
                {
                    "extraction_id": made.id,
                    "region_id": value.region_id,
                    "field": value.field,
                    "row": value.row,
                    "text": value.text,
                    "normalised": value.normalised,
                    "problem": value.problem,
                    "page": value.page,
                    "spans": [dict(span) for span in value.spans],
                    "confidence": value.confidence,
                    "filled": value.filled,
                    "alternatives": [dict(other) for other in value.alternatives],
                }
                for value in values
            ],
        )
    return made


def values_of(session: Session, extraction_id: int) -> list[ExtractionValue]:
    """Its values in the order the model gave them."""
    return values_of_many(session, [extraction_id]).get(extraction_id, [])


def values_of_many(
    session: Session, extraction_ids: Collection[int]
) -> dict[int, list[ExtractionValue]]:
    """Extraction → its values in the order the model gave them; those without any are left out."""
    found: dict[int, list[ExtractionValue]] = {}
    for value in session.scalars(
        select(ExtractionValue)
        .where(ExtractionValue.extraction_id.in_(extraction_ids))
        .order_by(ExtractionValue.id)
    ):
        found.setdefault(value.extraction_id, []).append(value)
    return found


def by_version(
    session: Session, version_ids: Collection[UUID], model_version_id: int
) -> dict[UUID, int]:
    """Document version → its extraction by this model version, where there is one."""
    rows = session.execute(
        select(Extraction.document_version_id, Extraction.id).where(
            Extraction.document_version_id.in_(version_ids),
            Extraction.model_version_id == model_version_id,
        )
    )
    return {row.document_version_id: row.id for row in rows}


def by_model_name(session: Session, version_id: UUID, name: str) -> Extraction | None:
    """What the model version of this name read from this document version, if it did."""
    return session.scalar(
        select(Extraction)
        .join(ModelVersion, ModelVersion.id == Extraction.model_version_id)
        .where(Extraction.document_version_id == version_id, ModelVersion.name == name)
    )


def readable(
    session: Session, project_id: int, version_ids: Collection[UUID], *, keep: bool = False
) -> set[UUID]:
    """Those of the document versions that are this project's, and that were read and not erased since.

    ``keep``: nobody can erase them before the transaction ends.
    """
    statement = select(DocumentVersion.id).where(
        DocumentVersion.id.in_(version_ids),
        DocumentVersion.project_id == project_id,
        DocumentVersion.state.in_(READABLE),
    )
    if keep:
        statement = statement.with_for_update(read=True)
    return set(session.scalars(statement))


def newest(session: Session, version_id: UUID) -> tuple[Extraction, ModelVersion] | None:
    """The last extraction of a document version and the model version that made it."""
    row = session.execute(
        select(Extraction, ModelVersion)
        .join(ModelVersion, ModelVersion.id == Extraction.model_version_id)
        .where(Extraction.document_version_id == version_id)
        .order_by(Extraction.id.desc())
        .limit(1)
    ).first()
    return None if row is None else (row[0], row[1])


def record_prediction(
    session: Session,
    *,
    task_id: int,
    extraction_id: int,
    model_version: str,
    result_sha256: str,
    label_studio_id: int | None,
    pushed_at: datetime | None = None,
) -> None:
    """Label Studio took this extraction as a prediction of this task."""
    session.execute(
        postgresql.insert(Prediction)
        .values(
            task_id=task_id,
            extraction_id=extraction_id,
            model_version=model_version,
            result_sha256=result_sha256,
            label_studio_id=label_studio_id,
            pushed_at=func.clock_timestamp() if pushed_at is None else pushed_at,
        )
        .on_conflict_do_nothing(index_elements=["task_id", "extraction_id"])
    )


def predicted(session: Session, task_id: int) -> bool:
    """Whether any extraction was written to this task."""
    found = session.scalar(select(Prediction.id).where(Prediction.task_id == task_id).limit(1))
    return found is not None


@dataclass(frozen=True)
class OpenTask:
    """A task nobody has submitted yet, whose document is read."""

    task_id: int
    label_studio_id: int
    document_version_id: UUID


def open_tasks(
    session: Session, project_id: int, *, without_model: int, after: int = 0, limit: int = 100
) -> list[OpenTask]:
    """Open tasks that do not show a prediction of this model version yet, by task id, above ``after``."""
    reviewed = (
        select(Annotation.id)
        .where(
            Annotation.task_id == Task.id,
            Annotation.deleted_at.is_(None),
        )
        .exists()
    )
    shown = (
        select(Prediction.id)
        .join(Extraction, Extraction.id == Prediction.extraction_id)
        .where(Prediction.task_id == Task.id, Extraction.model_version_id == without_model)
        .exists()
    )
    rows = session.execute(
        select(Task.id, Task.label_studio_id, Task.document_version_id)
        .join(DocumentVersion, DocumentVersion.id == Task.document_version_id)
        .where(
            Task.project_id == project_id,
            Task.deleted_at.is_(None),
            DocumentVersion.state.in_(READABLE),
            Task.id > after,
            ~reviewed,
            ~shown,
        )
        .order_by(Task.id)
        .limit(limit)
    )
    return [OpenTask(task, shown_as, version) for task, shown_as, version in rows if version]


def standing_tasks(session: Session, project_id: int) -> set[int]:
    """Label Studio ids of the project's tasks that show documents and are not known to be deleted."""
    return set(
        session.scalars(
            select(Task.label_studio_id).where(
                Task.project_id == project_id,
                Task.deleted_at.is_(None),
                Task.document_version_id.is_not(None),
            )
        )
    )
