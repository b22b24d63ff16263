"""What happens to a document: read, extract, publish; and to open tasks when a new model goes live.

Each step is a job of its own: it looks at the record first and does only what is missing, so that it may be
run again after any failure. The next step is asked for in the transaction that records this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import documents as record
from db import extractions, jobs
from db.extractions import READABLE
from db.json_values import digest, storable
from db.label_studio_errors import LabelStudioError, NotFound
from db.models import (
    Document,
    DocumentVersion,
    ExtractionValue,
    Job,
    ModelVersion,
    Project,
    ReadingState,
    Task,
)
from db.registry import live_model
from db.tasks import NewTask, remember_task
from db.words import pack
from ml_backend.field_specs import names_of, specs_of
from ml_backend.live_models import LivePredictor, live_predictor
from ml_backend.page_links import page_path
from ml_backend.payloads import Shown, task_data
from ml_backend.predicting import BATCH, extract_missing, sheets_of, stored
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.limits import Limits
from ml_backend.reading.page_read import PageRead
from ml_backend.reading.reader import ReadResult, read_document
from ml_backend.regions import Prediction, prediction_of
from ml_backend.services import Services
from ml_backend.studio_links import open_page

Progress = Callable[[str, int, int | None], None]


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
    images: list[record.PageRow] = []

    def keep(page: PageRead) -> None:
        images.append(_kept_image(services, page))
        progress("read", page.words.number + 1, None)

    try:
        result = read_document(
            data,
            media_type=version.media_type,
            ocr_languages=languages,
            on_page=keep,
            limits=Limits.of(services.settings),
        )
    except DocumentError as error:
        with services.sessions.begin() as session:
            record.record_failure(session, version_id, code=error.code, message=str(error))
        return []
    reading = _reading(result, images, time.monotonic() - started)
    with services.sessions.begin() as session:
        record.record_reading(session, version_id, reading)
        return [_next(session, "extract_document", version).id]


def give_up_reading(session: Session, version_id: UUID, code: str, message: str) -> None:
    """The job that was to read it failed for good: the document says so, unless it was read after all."""
    version = session.get(DocumentVersion, version_id)
    if version is not None and version.state is ReadingState.RECEIVED:
        record.record_failure(session, version_id, code=code, message=message)


def _kept_image(services: Services, page: PageRead) -> record.PageRow:
    """Stored as it arrives: the pictures of a long document do not fit into memory."""
    image = page.image
    return record.PageRow(
        page=image.page,
        sha256=services.blobs.put(image.data),
        media_type=image.media_type,
        width_px=image.width_px,
        height_px=image.height_px,
        width_pt=page.words.width,
        height_pt=page.words.height,
    )


def _reading(
    result: ReadResult, images: Sequence[record.PageRow], seconds: float
) -> record.Reading:
    return record.Reading(
        words=pack(result.pages),
        word_count=sum(len(page.texts) for page in result.pages),
        pages=images,
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
    """Let the live model read a document version, once per model version. Raises NotExtracted."""
    with services.sessions.begin() as session:
        version = session.get_one(DocumentVersion, version_id)
    if version.state not in READABLE:
        return []
    predictor = live_predictor(services, version.project_id)
    failures = extract_missing(services, predictor, [version_id])
    if failures:
        raise failures[0]
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
    """Make the Label Studio task of a document version, with its prediction. Raises LabelStudioError.

    ``again``: an earlier attempt may have made the task and died before it could say so; then Label Studio
    is asked first. A document of a project that is not set up in Label Studio waits until it is:
    ``publish_missing`` asks for its task.
    """
    with services.sessions.begin() as session:
        version = session.get_one(DocumentVersion, version_id)
        project = session.get_one(Project, version.project_id)
        if project.label_studio_id is None or version.state not in READABLE:
            return []
        task = record.task_of(session, version_id)
        if task is not None and extractions.predicted(session, task.id):
            return []
        found = extractions.newest(session, version_id)
        shown = None if found is None else _task(session, services, project, version, *found)
    if shown is None:
        with services.sessions.begin() as session:
            return [_next(session, "extract_document", version).id]
    if task is not None:
        # Made by an attempt that died; the mirror has seen it before we could say so.
        return _remember(services, version, shown, services.label_studio.task(task.label_studio_id))
    if again:
        there = _already_there(services, project.label_studio_id, version)
        if there is not None:
            return _remember(services, version, shown, there)
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
    made = {"id": task_id, "data": shown.data, "predictions": [{"model_version": shown.model}]}
    return _remember(services, version, shown, made)


def publish_missing(
    services: Services, project_id: int, *, replaced: bool
) -> tuple[list[UUID], bool]:
    """Ask for the tasks of documents that never had one; the jobs, and whether to ask again later.

    ``replaced``: another Label Studio project took the place of one that is gone. Then every document without
    a task wants one, as soon as the mirror has seen that its old task is gone as well.
    """
    with services.sessions.begin() as session:
        project = session.get_one(Project, project_id)
        if project.label_studio_id is None:
            return [], False
        jobs = ask_for_tasks(session, project_id, deleted_too=replaced)
        standing = extractions.standing_tasks(session, project_id) if replaced else set()
    later = bool(standing) and bool(
        standing.difference(services.label_studio.task_ids(project.label_studio_id))
    )
    return jobs, later


def ask_for_tasks(session: Session, project_id: int, *, deleted_too: bool = False) -> list[UUID]:
    """Jobs for read documents without a task. One whose task was deleted stays without, unless ``deleted_too``:
    somebody took it away."""
    shown = select(Task.id).where(Task.document_version_id == DocumentVersion.id)
    if deleted_too:
        shown = shown.where(Task.deleted_at.is_(None))
    versions = session.scalars(
        select(DocumentVersion).where(
            DocumentVersion.project_id == project_id,
            DocumentVersion.state.in_(READABLE),
            ~shown.exists(),
        )
    )
    return [_next(session, "publish_task", version).id for version in versions.all()]


def _remember(
    services: Services, version: DocumentVersion, shown: _Task, made: Mapping[str, Any]
) -> list[UUID]:
    """Record a task as Label Studio has it, and which extractions its predictions show."""
    with services.sessions.begin() as session:
        task = remember_task(
            session, NewTask(version.project_id, int(made["id"]), version.id, made["data"])
        )
        names = set()
        for prediction in made.get("predictions", ()):
            name = str(prediction.get("model_version"))
            extraction = extractions.by_model_name(session, version.id, name)
            if extraction is None:
                continue
            names.add(name)
            result = prediction.get("result", shown.prediction.result)
            extractions.record_prediction(
                session,
                task_id=task.id,
                extraction_id=extraction.id,
                model_version=name,
                result_sha256=digest(storable(result)),
                label_studio_id=prediction.get("id"),
            )
        # A model may have gone live between the extraction and the task: then this task missed its round.
        live = live_model(session, version.project_id)
        if live is not None and live.name not in names:
            return [_refresh(session, version.project_id, live).id]
    return []


def _task(
    session: Session,
    services: Services,
    project: Project,
    version: DocumentVersion,
    extraction: Any,
    model: ModelVersion,
) -> _Task:
    values = extractions.values_of(session, extraction.id)
    data = _data(session, services, project, version, values)
    sheets = sheets_of(record.images_of(session, version.id))
    known = names_of(specs_of(session, project.id))
    return _Task(extraction.id, model.name, data, prediction_of(values, sheets, known=known))


def _data(
    session: Session,
    services: Services,
    project: Project,
    version: DocumentVersion,
    values: Sequence[ExtractionValue],
) -> dict[str, Any]:
    """What a task of this version shows beside its regions, with these values."""
    document = session.get_one(Document, version.document_id)
    images = record.images_of(session, version.id)
    key, base = services.settings.signing_key, services.settings.public_url
    return task_data(
        Shown(
            document_id=document.id,
            version_id=version.id,
            name=document.name,
            version=version.number,
            page_urls=[base + page_path(key, version.id, image.page) for image in images],
            warnings=version.warnings,
            schema_version=project.schema_version,
            specs=specs_of(session, project.id),
            switches=open_page(services.settings, project=project.label_studio_id or 0),
            language=str(project.settings.get("language", "en")),
        ),
        _confidences(values),
    )


def _confidences(values: Sequence[ExtractionValue]) -> dict[str, float]:
    found: dict[str, float] = {}
    for value in values:
        found[value.field] = min(value.confidence, found.get(value.field, 1.0))
    return found


def _already_there(
    services: Services, project: int, version: DocumentVersion
) -> dict[str, Any] | None:
    """The task an earlier attempt made for this version, if it did; ``project``: Label Studio's id."""
    for task in services.label_studio.tasks_changed_since(project, version.uploaded_at):
        ours = task.get("data", {}).get("fieldloop")
        if isinstance(ours, dict) and ours.get("document_version_id") == str(version.id):
            return task
    return None


def refresh(
    services: Services, model_version_id: int, progress: Progress, *, again: bool = False
) -> list[UUID]:
    """Give every open task a prediction of this model version, unless another one is live by now.

    New predictions are added, old ones stay: a reviewer may be looking at them, and Label Studio refuses an
    annotation that began from a deleted prediction. Only at the end is Label Studio told to show the new
    version: a task without a prediction of the version it shows would open empty.

    ``again``: an earlier attempt may have written predictions and died before it could say so.
    """
    with services.sessions.begin() as session:
        version = session.get_one(ModelVersion, model_version_id)
        project = session.get_one(Project, version.project_id)
    if project.label_studio_id is None:
        return []
    after = done = 0
    while True:
        # Asked each time: a promotion in the middle of a long round ends it, the next model has its own.
        predictor = live_predictor(services, project.id)
        if predictor.model_version_id != model_version_id:
            return []
        with services.sessions.begin() as session:
            batch = extractions.open_tasks(
                session, project.id, without_model=model_version_id, after=after, limit=BATCH
            )
        if not batch:
            break
        extract_missing(services, predictor, [task.document_version_id for task in batch])
        _push(services, project.label_studio_id, predictor, batch, again=again)
        again = False  # all batches but the first are new
        after, done = batch[-1].task_id, done + len(batch)
        progress("predict", done, None)
    services.label_studio.set_model_version(project.label_studio_id, predictor.name)
    return []


def _push(
    services: Services,
    project: int,
    predictor: LivePredictor,
    batch: Sequence[extractions.OpenTask],
    *,
    again: bool,
) -> None:
    """Write the stored extractions of these tasks to Label Studio; ``project``: Label Studio's id."""
    found = stored(services, predictor, [task.document_version_id for task in batch])
    shown = {
        task.label_studio_id: (task.task_id, *found[task.document_version_id])
        for task in batch
        if task.document_version_id in found
    }
    rows = [
        {
            "task": number,
            "result": prediction.result,
            "score": prediction.score,
            "model_version": predictor.name,
        }
        for number, (_, _, prediction) in shown.items()
        if not (again and predictor.name in (_versions_shown(services, number) or ()))
    ]
    try:
        _write(services, project, rows)
    except LabelStudioError as error:
        # One task that was deleted, and that the mirror has not missed yet, makes Label Studio refuse them all.
        gone = (
            set() if error.passing else {n for n in shown if _versions_shown(services, n) is None}
        )
        if not gone:
            raise
        _write(services, project, [row for row in rows if row["task"] not in gone])
        shown = {number: one for number, one in shown.items() if number not in gone}
    there = [task for task in batch if task.label_studio_id in shown]
    _warn_anew(services, predictor.model_version_id, there)
    with services.sessions.begin() as session:
        for task_id, extraction_id, prediction in shown.values():
            extractions.record_prediction(
                session,
                task_id=task_id,
                extraction_id=extraction_id,
                model_version=predictor.name,
                result_sha256=digest(storable(prediction.result)),
                label_studio_id=None,
            )


def _warn_anew(
    services: Services, model_version_id: int, tasks: Sequence[extractions.OpenTask]
) -> None:
    """What a task says above its pages is of the model whose values it shows: what is missing, where to look."""
    changed: dict[int, str] = {}
    with services.sessions.begin() as session:
        model = session.get_one(ModelVersion, model_version_id)
        project = session.get_one(Project, model.project_id)
        for task in tasks:
            version = session.get_one(DocumentVersion, task.document_version_id)
            found = extractions.find(session, version.id, model.id)
            if found is None:
                continue
            values = extractions.values_of(session, found.id)
            said = session.get_one(Task, task.task_id).data.get("warnings")
            now = _data(session, services, project, version, values)["warnings"]
            if now != said:
                changed[task.label_studio_id] = now
    for number, warnings in changed.items():
        with suppress(NotFound):  # deleted; the mirror will miss it
            data = services.label_studio.task(number).get("data", {})
            services.label_studio.update_task(number, {"data": {**data, "warnings": warnings}})


def _write(services: Services, project: int, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        services.label_studio.create_predictions(project, rows)


def _versions_shown(services: Services, task: int) -> set[str] | None:
    """The model versions Label Studio has predictions of for this task; None if the task is gone."""
    try:
        predictions = services.label_studio.task(task).get("predictions", ())
    except NotFound:
        return None
    return {str(prediction.get("model_version")) for prediction in predictions}


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
