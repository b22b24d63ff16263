"""All that is known about one document, read in one transaction: for the API and for its page in the console."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import browse, documents
from db import extractions as stored
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
from ml_backend.documents_api import shapes
from ml_backend.errors import BadRequest
from ml_backend.page_links import page_path
from ml_backend.services import Services


@dataclass(frozen=True)
class VersionDetail:
    """One version of a document; ``values``: by extraction id, ``annotated``: by event id."""

    version: DocumentVersion
    images: list[PageImage]
    extractions: list[tuple[Extraction, ModelVersion]]
    tasks: list[Task]
    annotations: list[Annotation]
    jobs: list[Job]
    values: dict[int, list[ExtractionValue]] = field(default_factory=dict)
    annotated: dict[int, list[AnnotationValue]] = field(default_factory=dict)


@dataclass(frozen=True)
class Detail:
    document: Document
    project: Project
    overview: dict[str, Any]
    versions: list[VersionDetail]


def detail_of(session: Session, document_id: UUID, *, all_values: bool = False) -> Detail:
    """Everything about a document. The values of older extractions only with ``all_values``.

    Raises BadRequest if there is no such document.
    """
    document = session.get(Document, document_id)
    overview = documents.overview_of(session, document_id)
    if document is None or overview is None:
        raise BadRequest("unknown_document", "There is no document of this id.", 404)
    found = browse.versions(session, document_id)
    return Detail(
        document,
        session.get_one(Project, document.project_id),
        overview,
        [_version(session, version, all_values) for version in found],
    )


def _version(session: Session, version: DocumentVersion, all_values: bool) -> VersionDetail:
    extractions = browse.extractions(session, version.id)
    tasks = browse.tasks(session, [version.id])
    annotations = browse.annotations_of(session, [task.id for task in tasks])
    shown = extractions if all_values else extractions[:1]
    return VersionDetail(
        version=version,
        images=documents.images_of(session, version.id),
        extractions=extractions,
        tasks=tasks,
        annotations=annotations,
        jobs=browse.jobs_on(session, [str(version.id)]),
        values={one.id: stored.values_of(session, one.id) for one, _ in shown},
        annotated=browse.annotation_values(session, [one.last_event_id for one in annotations]),
    )


def to_json(services: Services, detail: Detail) -> dict[str, Any]:
    """The answer of GET /api/documents/{id}."""
    settings = services.settings
    project = detail.project.label_studio_id
    base = f"/api/documents/{detail.document.id}"
    return {
        **shapes.document(detail.document, detail.project),
        "stage": detail.overview["stage"],
        "state": detail.overview["state"],
        "reviewed": detail.overview["reviewed"],
        "error": shapes.error_of(detail.overview["error_code"], detail.overview["error_message"]),
        "task_url": shapes.task_url(settings, project, detail.overview["label_studio_task_id"]),
        "links": {
            "self": base,
            "file": f"{base}/file",
            "history": f"{base}/history",
            "retry": f"{base}/retry",
            "console": f"{settings.public_url}/console/documents/{detail.document.id}",
        },
        "versions": [_version_json(services, one, project) for one in detail.versions],
    }


def _version_json(services: Services, one: VersionDetail, project: int | None) -> dict[str, Any]:
    settings = services.settings
    return {
        **shapes.version(one.version),
        "pages": [
            shapes.page(
                image,
                settings.public_url + page_path(settings.signing_key, one.version.id, image.page),
            )
            for image in one.images
        ],
        "tasks": [
            shapes.task(
                task,
                shapes.task_url(settings, project, task.label_studio_id)
                if task.deleted_at is None
                else None,
            )
            for task in one.tasks
        ],
        "extractions": [
            shapes.extraction(extraction, model, one.values.get(extraction.id))
            for extraction, model in one.extractions
        ],
        "annotations": [
            shapes.annotation(row, one.annotated[row.last_event_id]) for row in one.annotations
        ],
        "jobs": [shapes.job(job) for job in one.jobs],
    }
