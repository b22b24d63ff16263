"""A small record to look at: a project with fields, a reviewed document, models, a run; for API and console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import projects, registry, training_runs
from db.blobs import BlobStore
from db.config import Settings
from db.label_studio import LabelStudio
from db.models import (
    Document,
    DocumentVersion,
    Extraction,
    ModelVersion,
    PageImage,
    Project,
    RunState,
    Task,
)
from db.projects import FieldRow
from db.registry import Figure
from db.session import SessionFactory
from ml_backend.services import Services
from tests import factories

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"
LABEL_STUDIO = "http://label-studio.invalid"


def services_on(
    session_factory: SessionFactory, redis: Any, blobs: BlobStore, **environ: str
) -> Services:
    """Services of a test; ``environ`` adds settings."""
    settings = Settings.from_environ(
        {
            "LABEL_STUDIO_URL": LABEL_STUDIO,
            "FIELDLOOP_WEBHOOK_SECRET": "w" * 20,
            "FIELDLOOP_SIGNING_KEY": "s" * 20,
            # Small: the test client leaves the temporary file of a large request open.
            "FIELDLOOP_MAX_FILE_MB": "0.1",
        }
        | environ,
        needs=(),
    )
    return Services(settings, session_factory, blobs, redis, LabelStudio(LABEL_STUDIO, "x"))


@dataclass
class Story:
    """One reviewed invoice: read by a zero-shot model, corrected by Ana, learnt from, improved upon."""

    project: Project
    document: Document
    version: DocumentVersion
    task: Task
    zero_shot: ModelVersion
    trained: ModelVersion
    extraction: Extraction
    run: Any


def project_with_fields(session: Session, title: str = "Invoices") -> Project:
    project = factories.project(
        session, title=title, label_studio_url=LABEL_STUDIO, label_studio_id=7
    )
    rows = [
        FieldRow("total", "number", "Total <b>", "Total geral", required=True),
        FieldRow("due_date", "date", "Due date", "Data de vencimento"),
    ]
    projects.set_schema(session, project, rows, by="test")
    return project


def tell(session: Session, blobs: BlobStore, name: str = "invoice <1>.pdf") -> Story:
    """Write the story into the record."""
    project = project_with_fields(session)
    document = factories.document(session, project, name=name, collection="ACME")
    version = factories.document_version(
        session, document, sha256=blobs.put(PDF), size_bytes=len(PDF), page_count=1
    )
    session.add(
        PageImage(
            document_version_id=version.id,
            page=0,
            sha256=blobs.put(b"image"),
            media_type="image/png",
            width_px=1240,
            height_px=1754,
            width_pt=595.0,
            height_pt=842.0,
        )
    )
    zero_shot = factories.model_version(session, project, 0, name="invoices-0-zero-shot")
    factories.point_live(session, zero_shot, recorded_by="provisioning")
    extraction = factories.extraction(session, version, zero_shot, score=0.41)
    factories.extraction_value(
        session,
        extraction,
        "total",
        "1.234,56",
        normalised="1234.56",
        spans=[{"page": 0, "box": [400.0, 700.0, 460.0, 712.0]}],
        confidence=0.41,
        alternatives=[
            {"text": "99,00", "spans": [{"page": 0, "box": [1, 2, 3, 4]}], "confidence": 0.2}
        ],
    )
    task = factories.task(session, version, 42)
    event = factories.annotation_event(
        session,
        task,
        extraction_id=extraction.id,
        changes=[
            {
                "region_id": "r",
                "field": "total",
                "change": "text",
                "before": "1.234,56",
                "after": "<script>alert(1)</script>",
            }
        ],
    )
    factories.annotation_value(
        session, event, "total", "1.234,50", outcome="corrected", predicted_text="1.234,56"
    )
    factories.annotation(session, event)
    run = training_runs.request_run(
        session, project.id, reason="6 new states.", requested_by="policy"
    )
    run.state = RunState.SUCCEEDED
    run.gate_passed, run.gate_reason = False, "Not better: F1 0.500 against 0.600 on 6 documents."
    trained = factories.model_version(
        session, project, 1, name="invoices-1-abcdef01", kind="trained", training_run_id=run.id
    )
    registry.record_metrics(
        session,
        run.id,
        trained.id,
        "candidate",
        [
            Figure(None, "f1", 0.5, 12, 0.3, 0.7),
            Figure("total", "f1", 0.5, 6, 0.25, 0.75),
            Figure("total", "precision", 0.6, 5, 0.2, 0.9),
            Figure("total", "recall", 0.45, 6, 0.2, 0.8),
        ],
    )
    session.commit()
    return Story(project, document, version, task, zero_shot, trained, extraction, run)
