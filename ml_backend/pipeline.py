"""What happens to a document: read, extract, publish; and to open tasks when a new model goes live.

Each step is a job of its own: it looks at the record first and does only what is missing, so that it may be
run again after any failure. The next step is asked for in the transaction that records this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import documents as record
from db import extractions, jobs
from db.json_values import digest, storable
from db.models import (
    Document,
    DocumentVersion,
    ExtractionValue,
    Job,
    ModelVersion,
    Project,
    ReadingState,
)
from db.registry import live_model
from db.tasks import NewTask, remember_task
from db.words import pack, unpack
from ml_backend.field_specs import names_of, specs_of
from ml_backend.live_models import LivePredictor, live_predictor
from ml_backend.page_links import page_path
from ml_backend.payloads import Shown, task_data
from ml_backend.predicting import extract_missing, sheets_of
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.reader import ReadResult, read_document
from ml_backend.regions import Prediction, prediction_of
from ml_backend.services import Services
from ml_backend.studio_links import open_page

BATCH = 50
Progress = Callable[[str, int, int | None], None]


class NotProvisioned(Exception):
    """The project has no Label Studio project yet."""

    def __init__(self, title: str) -> None:
        super().__init__(
            f"The project {title!r} is not set up in Label Studio yet; run `fieldloop init`, then it goes on by itself."
        )


def read(services: Services, version_id: UUID, progress: Progress) -> list[UUID]:
    """Read words and page images of a document version; a document that cannot be read is marked failed."""
    with services.sessions.begin() as session:
        version = session.get_one(DocumentVersion, version_id)
        project = session.get_one(Project, version.project_id)
        languages = str(project.settings.get("ocr_languages") or "por+eng")
        if version.state is ReadingState.ERASED:
            return []
        if version.state is not ReadingState.RECEIVED:
            return [_next(session, "extract_document", version).id]
    data = services.blobs.get(version.sha256)
    started = time.monotonic()
    try:
        result = read_document(
            data,
            media_type=version.media_type,
            ocr_languages=languages,
            on_page=lambda page: progress("read", page.words.number + 1, None),
        )
    except DocumentError as error:
        with services.sessions.begin() as session:
            record.record_failure(session, version_id, code=error.code, message=str(error))
        return []
    reading = _reading(services, result, time.monotonic() - started)
    with services.sessions.begin() as session:
        record.record_reading(session, version_id, reading)
        return [_next(session, "extract_document", version).id]


def _reading(services: Services, result: ReadResult, seconds: float) -> record.Reading:
    points = {page.number: page for page in result.pages}
    rows = [
        record.PageRow(
            page=image.page,
            sha256=services.blobs.put(image.data),
            media_type=image.media_type,
            width_px=image.width_px,
            height_px=image.height_px,
            width_pt=points[image.page].width,
            height_pt=points[image.page].height,
        )
        for image in result.images
    ]
    return record.Reading(
        words=pack(result.pages),
        word_count=sum(len(page.texts) for page in result.pages),
        pages=rows,
        page_count=len(result.pages),
        reader=result.reader,
        seconds=seconds,
        warnings=[
            {"code": w.code, "page": w.page, "message": storable(w.message)}
            for w in result.warnings
        ],
        needs_ocr=bool(result.needs_ocr),
    )


def extract(services: Services, version_id: UUID) -> list[UUID]:
    """Let the live model read a document version, once per model version."""
    with services.sessions.begin() as session:
        version = session.get_one(DocumentVersion, version_id)
        data = record.words_of(session, version_id)
    if data is None:
        return []
    predictor = live_predictor(services, version.project_id)
    extract_missing(services, predictor, {version_id: unpack(data)})
    with services.sessions.begin() as session:
        return [_next(session, "publish_task", version).id]


@dataclass(frozen=True)
class _Task:
    """All that is needed to show a document version in Label Studio."""

    extraction_id: int
    model: str
    data: dict[str, Any]
    prediction: Prediction


def publish(services: Services, version_id: UUID, *, again: bool) -> list[UUID]:
    """Make the Label Studio task of a document version, with its prediction.

    ``again``: an earlier attempt may have made the task and died before it could say so; then Label Studio
    is asked first. Raises NotProvisioned, LabelStudioError.
    """
    with services.sessions.begin() as session:
        version = session.get_one(DocumentVersion, version_id)
        project = session.get_one(Project, version.project_id)
        if record.task_of(session, version_id) is not None:
            return []
        if project.label_studio_id is None:
            raise NotProvisioned(project.title)
        found = extractions.newest(session, version_id)
        shown = None if found is None else _task(session, services, project, version, *found)
    if shown is None:
        with services.sessions.begin() as session:
            return [_next(session, "extract_document", version).id]
    task_id = _already_there(services, project.label_studio_id, version) if again else None
    if task_id is None:
        (task_id,) = services.label_studio.create_tasks(
            project.label_studio_id,
            [
                {
                    "data": shown.data,
                    "predictions": [
                        {
                            "result": shown.prediction.result,
                            "score": shown.prediction.score,
                            "model_version": shown.model,
                        }
                    ],
                }
            ],
        )
    with services.sessions.begin() as session:
        task = remember_task(
            session,
            NewTask(project.id, task_id, version_id, shown.data),
        )
        extractions.record_prediction(
            session,
            task_id=task.id,
            extraction_id=shown.extraction_id,
            model_version=shown.model,
            result_sha256=digest(storable(shown.prediction.result)),
            label_studio_id=None,
        )
        # A model may have gone live between the extraction and the task: then this task missed its round.
        live = live_model(session, project.id)
        if live is not None and live.name != shown.model:
            return [_refresh(session, project.id, live).id]
    return []


def _task(
    session: Session,
    services: Services,
    project: Project,
    version: DocumentVersion,
    extraction: Any,
    model: ModelVersion,
) -> _Task:
    document = session.get_one(Document, version.document_id)
    specs = specs_of(session, project.id)
    values = extractions.values_of(session, extraction.id)
    images = record.images_of(session, version.id)
    key, base = services.settings.signing_key, services.settings.public_url
    data = task_data(
        Shown(
            document_id=document.id,
            version_id=version.id,
            name=document.name,
            version=version.number,
            page_urls=[base + page_path(key, version.id, image.page) for image in images],
            warnings=version.warnings,
            schema_version=project.schema_version,
            specs=specs,
            switches=open_page(services.settings, project=project.label_studio_id or 0),
        ),
        _confidences(values),
    )
    prediction = prediction_of(values, sheets_of(images), known=names_of(specs))
    return _Task(extraction.id, model.name, data, prediction)


def _confidences(values: Sequence[ExtractionValue]) -> dict[str, float]:
    found: dict[str, float] = {}
    for value in values:
        found[value.field] = min(value.confidence, found.get(value.field, 1.0))
    return found


def _already_there(services: Services, project: int, version: DocumentVersion) -> int | None:
    """The task an earlier attempt made for this version, if it did; ``project``: Label Studio's id."""
    for task in services.label_studio.tasks_changed_since(project, version.uploaded_at):
        ours = task.get("data", {}).get("fieldloop")
        if isinstance(ours, dict) and ours.get("document_version_id") == str(version.id):
            return int(task["id"])
    return None


def refresh(services: Services, model_version_id: int, progress: Progress) -> list[UUID]:
    """Give every open task a prediction of this model version, unless another one is live by now.

    New predictions are added, old ones stay: a reviewer may be looking at them, and Label Studio refuses an
    annotation that began from a deleted prediction.
    """
    with services.sessions.begin() as session:
        version = session.get_one(ModelVersion, model_version_id)
        project = session.get_one(Project, version.project_id)
    if project.label_studio_id is None:
        raise NotProvisioned(project.title)
    predictor = live_predictor(services, project.id)
    if predictor.model_version_id != model_version_id:
        return []
    services.label_studio.set_model_version(project.label_studio_id, predictor.name)
    after = done = 0
    while True:
        with services.sessions.begin() as session:
            batch = extractions.open_tasks(
                session, project.id, without_model=model_version_id, after=after, limit=BATCH
            )
            words = {
                task.document_version_id: record.words_of(session, task.document_version_id)
                for task in batch
            }
        if not batch:
            return []
        extract_missing(
            services,
            predictor,
            {key: unpack(data) for key, data in words.items() if data is not None},
        )
        _push(services, project.id, project.label_studio_id, predictor, batch)
        after, done = batch[-1].task_id, done + len(batch)
        progress("predict", done, None)


def _push(
    services: Services,
    project_id: int,
    label_studio_project: int,
    predictor: LivePredictor,
    batch: Sequence[extractions.OpenTask],
) -> None:
    rows: list[dict[str, Any]] = []
    pushed: list[tuple[extractions.OpenTask, int, str]] = []
    with services.sessions.begin() as session:
        known = names_of(specs_of(session, project_id))
        for task in batch:
            extraction = extractions.find(
                session, task.document_version_id, predictor.model_version_id
            )
            if extraction is None:
                continue
            sheets = sheets_of(record.images_of(session, task.document_version_id))
            values = extractions.values_of(session, extraction.id)
            prediction = prediction_of(values, sheets, known=known)
            rows.append(
                {
                    "task": task.label_studio_id,
                    "result": prediction.result,
                    "score": prediction.score,
                    "model_version": predictor.name,
                }
            )
            pushed.append((task, extraction.id, digest(storable(prediction.result))))
    if not rows:
        return
    services.label_studio.create_predictions(label_studio_project, rows)
    with services.sessions.begin() as session:
        for task, extraction_id, sha256 in pushed:
            extractions.record_prediction(
                session,
                task_id=task.task_id,
                extraction_id=extraction_id,
                model_version=predictor.name,
                result_sha256=sha256,
                label_studio_id=None,
            )


def _next(session: Session, kind: str, version: DocumentVersion) -> Job:
    return jobs.enqueue(
        session,
        kind=kind,
        subject=str(version.id),
        project_id=version.project_id,
        created_by="worker",
    )


def _refresh(session: Session, project_id: int, live: ModelVersion) -> Job:
    return jobs.enqueue(
        session,
        kind="refresh_predictions",
        subject=str(live.id),
        project_id=project_id,
        created_by="worker",
    )
