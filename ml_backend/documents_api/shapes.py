"""Rows of the record as the JSON of the API. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Response, jsonify

from db.config import Settings
from db.extractions import ValueRow
from db.models import (
    Annotation,
    AnnotationValue,
    Document,
    DocumentVersion,
    Extraction,
    ExtractionValue,
    Job,
    ModelVersion,
    PageImage,
    Project,
    Task,
)
from ml_backend.studio_links import task_link

_LISTED = (
    "pages",
    "uploaded_at",
    "uploaded_by",
    "label_studio_task_id",
    "model_version",
    "score",
    "reviewed",
    "skipped",
    "reviewers",
    "reviewed_at",
    "status",
)


def answer(value: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON answer: times in ISO 8601 with their offset, ids as text."""
    response = jsonify(plain(value))
    response.status_code = status
    return response


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def error_of(code: str | None, message: str | None) -> dict[str, str] | None:
    return {"code": code or "failed", "message": message or ""} if code or message else None


def task_url(settings: Settings, project: int | None, task: int | None) -> str | None:
    """Where a task opens in Label Studio; ``project`` and ``task`` are Label Studio's ids."""
    return None if project is None or task is None else task_link(settings, project, task)


def listed(row: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    """A row of the list of documents; ``url`` opens its task."""
    return {
        "id": row["document_id"],
        "name": row["document"],
        "project": {"id": row["project_id"], "title": row["project"]},
        "collection": row["collection"],
        "version_id": row["document_version_id"],
        "version": row["version"],
        "stage": row["stage"],
        "state": row["state"],
        "error": error_of(row["error_code"], row["error_message"]),
        **{name: row[name] for name in _LISTED},
        "task_url": url,
    }


def document(row: Document, project: Project) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "collection": row.collection,
        "project": {"id": project.id, "title": project.title},
        "created_at": row.created_at,
        "created_by": row.created_by,
        "notes": row.notes,
    }


def version(row: DocumentVersion) -> dict[str, Any]:
    return {
        "id": row.id,
        "number": row.number,
        "sha256": row.sha256,
        "size_bytes": row.size_bytes,
        "media_type": row.media_type,
        "state": row.state,
        "error": error_of(row.error_code, row.error_message),
        "warnings": row.warnings,
        "page_count": row.page_count,
        "reader": row.reader,
        "read_at": row.read_at,
        "read_seconds": row.read_seconds,
        "uploaded_at": row.uploaded_at,
        "uploaded_by": row.uploaded_by,
        "source": row.source,
        "notes": row.notes,
    }


def page(row: PageImage, url: str) -> dict[str, Any]:
    return {
        "page": row.page,
        "width": row.width_pt,
        "height": row.height_pt,
        "image": {
            "url": url,
            "media_type": row.media_type,
            "width": row.width_px,
            "height": row.height_px,
        },
    }


def extraction(
    row: Extraction, model: ModelVersion, values: Sequence[ExtractionValue] | None
) -> dict[str, Any]:
    """``values`` None: they are left out."""
    shape = {
        "id": row.id,
        "model_version": model.name,
        "recorded_at": row.recorded_at,
        "seconds": row.seconds,
        "score": row.score,
        "absent": row.absent,
    }
    return shape if values is None else shape | {"values": [value(one) for one in values]}


def value(row: ExtractionValue | ValueRow) -> dict[str, Any]:
    return {
        "region_id": row.region_id,
        "field": row.field,
        "row": row.row,
        "text": row.text,
        "normalised": row.normalised,
        "problem": row.problem,
        "confidence": row.confidence,
        "filled": row.filled,
        "page": row.page,
        "box": around(row.spans, row.page),
        "spans": row.spans,
        "alternatives": row.alternatives,
    }


def around(spans: Iterable[Mapping[str, Any]], on: int) -> list[float] | None:
    """The box around the pieces of a value on one page, [x0, y0, x1, y1] in points."""
    boxes = [span["box"] for span in spans if span["page"] == on]
    if not boxes:
        return None
    return [
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    ]


def annotation(row: Annotation, values: Sequence[AnnotationValue]) -> dict[str, Any]:
    return {
        "id": row.id,
        "label_studio_id": row.label_studio_id,
        "created_by": row.created_by,
        "updated_by": row.updated_by,
        "created_at": row.source_created_at,
        "updated_at": row.source_updated_at,
        "was_cancelled": row.was_cancelled,
        "ground_truth": row.ground_truth,
        "lead_time": row.lead_time,
        "status": row.status,
        "absent": row.absent,
        "notes": row.notes,
        "deleted_at": row.deleted_at,
        "event_id": row.last_event_id,
        "values": [annotated(one) for one in values],
    }


def annotated(row: AnnotationValue) -> dict[str, Any]:
    return {
        "region_id": row.region_id,
        "field": row.field,
        "row": row.row,
        "text": row.text,
        "text_source": row.text_source,
        "normalised": row.normalised,
        "problem": row.problem,
        "page": row.page,
        "box": [row.x0, row.y0, row.x1, row.y1],
        "outcome": row.outcome,
        "predicted_text": row.predicted_text,
        "confidence": row.confidence,
    }


def task(row: Task, url: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "label_studio_id": row.label_studio_id,
        "url": url,
        "first_seen_at": row.first_seen_at,
        "deleted_at": row.deleted_at,
    }


def job(row: Job) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "subject": row.subject,
        "state": row.state,
        "attempts": row.attempts,
        "max_attempts": row.max_attempts,
        "error": error_of(row.error_code, row.error),
        "progress": row.progress or None,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "run_after": row.run_after,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }
