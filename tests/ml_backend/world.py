"""A project with a schema, read documents and reviews, as the services would have left them in the record."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from db import documents as record
from db.models import Annotation, AnnotationEvent, DocumentVersion, Project, Task
from db.projects import FieldRow, ensure_project, set_schema
from db.words import PageWords, make_page, pack
from ml_backend.extraction.fields import Labels
from tests import factories
from tests.extraction.forms import FIELDS, Form, form

URL = "http://label-studio.test"
ROWS = tuple(
    FieldRow(spec.name, spec.type.value, spec.name.replace("_", " ").capitalize(), spec.name)
    for spec in FIELDS
)
PIXELS = (1250, 1667)
_numbers = itertools.count(1)


def project(
    session: Session,
    *,
    label_studio_id: int | None = 12,
    rows: Sequence[FieldRow] = ROWS,
    title: str = "Orders",
    url: str = URL,
) -> Project:
    made = ensure_project(session, title, by="test")
    set_schema(session, made, rows, by="test")
    if label_studio_id is not None:
        made.label_studio_url, made.label_studio_id = url, label_studio_id
    session.flush()
    return made


def pages_of(made: Form) -> list[PageWords]:
    """The form's page in the stored form."""
    return [
        make_page(
            page.number,
            page.width,
            page.height,
            list(zip(page.texts, [tuple(map(float, box)) for box in page.boxes], strict=True)),
            font_names=page.font_names,
        )
        for page in made.document.pages
    ]


def read_version(
    session: Session, owner: Project, pages: Sequence[PageWords], *, name: str = "a.pdf"
) -> DocumentVersion:
    """A document version whose words and page images are in the record."""
    known = factories.document(session, owner, name=name)
    packed = pack(pages)
    version = factories.document_version(
        session, known, state="received", sha256=hashlib.sha256(packed + name.encode()).hexdigest()
    )
    images = [
        record.PageRow(
            page=page.number,
            sha256=hashlib.sha256(f"{name}/{page.number}".encode()).hexdigest(),
            media_type="image/png",
            width_px=PIXELS[0],
            height_px=PIXELS[1],
            width_pt=page.width,
            height_pt=page.height,
        )
        for page in pages
    ]
    reading = record.Reading(
        words=packed,
        word_count=sum(len(page.texts) for page in pages),
        pages=images,
        page_count=len(pages),
        reader="test",
        seconds=0.1,
    )
    record.record_reading(session, version.id, reading)
    session.refresh(version)
    return version


def form_version(session: Session, owner: Project, seed: int) -> DocumentVersion:
    return read_version(session, owner, pages_of(form(seed)), name=f"form-{seed}.pdf")


def review(
    session: Session, version: DocumentVersion, labels: Labels, *, by: str = "ana@example.org"
) -> AnnotationEvent:
    """A submitted annotation with these labels, on a task of its own unless the version has one."""
    task = record.task_of(session, version.id)
    if task is None:
        task = factories.task(session, version, label_studio_id=next(_numbers))
    known = session.query(Annotation).filter(Annotation.task_id == task.id).one_or_none()
    number = known.label_studio_id if known else next(_numbers)
    event = factories.annotation_event(session, task, label_studio_id=number, actor=by)
    for label in labels.labels:
        x0, y0, x1, y1 = label.box
        place = {"page": label.page, "x0": x0, "y0": y0, "x1": x1, "y1": y1}
        factories.annotation_value(session, event, label.field, label.text, **place)
    if known is None:
        factories.annotation(session, event)
    else:
        known.last_event_id = event.id
    session.flush()
    return event


def reviewed_forms(session: Session, owner: Project, seeds: Sequence[int]) -> list[DocumentVersion]:
    versions = []
    for seed in seeds:
        version = form_version(session, owner, seed)
        review(session, version, form(seed).labels)
        versions.append(version)
    return versions


def open_task(session: Session, version: DocumentVersion, label_studio_id: int) -> Task:
    return factories.task(session, version, label_studio_id=label_studio_id)


def task_payload(number: int, version_id: UUID | str | None, **data: object) -> dict[str, object]:
    """A task as Label Studio sends it to /predict."""
    ours = {} if version_id is None else {"fieldloop": {"document_version_id": str(version_id)}}
    return {"id": number, "data": {"pages": [], **ours, **data}, "meta": {}, "annotations": []}
