"""Rows for tests, each with everything it needs; plain functions that add and flush."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from db.models import (
    Annotation,
    AnnotationEvent,
    AnnotationValue,
    Document,
    DocumentVersion,
    EventKind,
    EventSource,
    Extraction,
    ExtractionValue,
    ModelAlias,
    ModelKind,
    ModelVersion,
    Project,
    Task,
    ValueOutcome,
)

Row = TypeVar("Row")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """A moment this many minutes into the story."""
    return START + timedelta(minutes=minutes)


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row


def project(session: Session, **values: Any) -> Project:
    unique = uuid.uuid4().hex[:8]
    return _add(session, Project(**{"title": f"Invoices {unique}", "created_by": "test"} | values))


def document(session: Session, owner: Project | None = None, **values: Any) -> Document:
    owner = owner or project(session)
    name = f"{uuid.uuid4().hex[:8]}.pdf"
    row = {"project_id": owner.id, "name": name, "created_by": "test"} | values
    return _add(session, Document(**row))


def document_version(
    session: Session, of: Document | None = None, *, number: int = 1, **values: Any
) -> DocumentVersion:
    of = of or document(session)
    row = {
        "document_id": of.id,
        "project_id": of.project_id,
        "number": number,
        "sha256": hashlib.sha256(uuid.uuid4().bytes).hexdigest(),
        "size_bytes": 1,
        "media_type": "application/pdf",
        "state": "read",
        "uploaded_by": "test",
        "source": "cli",
    }
    return _add(session, DocumentVersion(**row | values))


def task(
    session: Session,
    version: DocumentVersion | None = None,
    label_studio_id: int = 1,
    **values: Any,
) -> Task:
    version = version or document_version(session)
    row = {
        "project_id": version.project_id,
        "label_studio_id": label_studio_id,
        "document_version_id": version.id,
        "source_created_at": START,
    }
    return _add(session, Task(**row | values))


def annotation_event(
    session: Session, of: Task | None = None, *, label_studio_id: int = 1, **values: Any
) -> AnnotationEvent:
    of = of or task(session)
    row = {
        "project_id": of.project_id,
        "task_id": of.id,
        "label_studio_id": label_studio_id,
        "kind": EventKind.CREATED,
        "source": EventSource.WEBHOOK,
        "occurred_at": START,
        "actor": "ana@example.org",
        "result": [],
        "content_sha256": uuid.uuid4().hex,
    }
    return _add(session, AnnotationEvent(**row | values))


def annotation_value(
    session: Session, event: AnnotationEvent, field: str, text: str | None, **values: Any
) -> AnnotationValue:
    row = {
        "event_id": event.id,
        "region_id": uuid.uuid4().hex[:10],
        "field": field,
        "text": text,
        "text_source": "reviewer",
        "normalised": text,
        "page": 0,
        "x0": 1.0,
        "y0": 1.0,
        "x1": 2.0,
        "y1": 2.0,
        "outcome": ValueOutcome.ACCEPTED,
    }
    return _add(session, AnnotationValue(**row | values))


def annotation(session: Session, event: AnnotationEvent, **values: Any) -> Annotation:
    """The current state that this event set."""
    row = {
        "project_id": event.project_id,
        "task_id": event.task_id,
        "label_studio_id": event.label_studio_id,
        "last_event_id": event.id,
        "created_by": event.actor,
        "updated_by": event.actor,
        "source_created_at": START,
        "source_updated_at": event.occurred_at,
        "was_cancelled": bool(event.was_cancelled),
        "result": event.result,
        "content_sha256": event.content_sha256,
    }
    return _add(session, Annotation(**row | values))


def model_version(session: Session, owner: Project, number: int = 0, **values: Any) -> ModelVersion:
    row = {
        "project_id": owner.id,
        "number": number,
        "name": f"p{owner.id}-{number}",
        "kind": ModelKind.ZERO_SHOT,
        "schema_version": 1,
        "created_by": "test",
    }
    return _add(session, ModelVersion(**row | values))


def point_live(session: Session, model: ModelVersion, **values: Any) -> ModelAlias:
    row = {
        "project_id": model.project_id,
        "alias": "live",
        "model_version_id": model.id,
        "recorded_by": "test",
        "notes": "test",
    }
    return _add(session, ModelAlias(**row | values))


def extraction(
    session: Session, version: DocumentVersion, model: ModelVersion, **values: Any
) -> Extraction:
    row = {"document_version_id": version.id, "model_version_id": model.id}
    return _add(session, Extraction(**row | values))


def extraction_value(
    session: Session, of: Extraction, field: str, text: str, **values: Any
) -> ExtractionValue:
    row = {
        "extraction_id": of.id,
        "region_id": uuid.uuid4().hex[:10],
        "field": field,
        "text": text,
        "page": 0,
        "confidence": 0.9,
    }
    return _add(session, ExtractionValue(**row | values))
