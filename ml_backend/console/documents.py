"""The list of documents, and the page of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from db import browse, projects
from db import documents as record
from db import extractions as stored
from ml_backend.console import layers, timeline
from ml_backend.console.frame import Frame, frame_of, page, problem_page
from ml_backend.documents_api import asking, doing
from ml_backend.documents_api.detail import Detail, VersionDetail, detail_of
from ml_backend.documents_api.documents import STAGES
from ml_backend.errors import BadRequest
from ml_backend.page_links import page_path
from ml_backend.services import Services

PER_PAGE = 50
REFRESH_SECONDS = 4
_BUSY = {"queued", "running"}


def add(views: Blueprint, services: Services) -> None:
    """Add the pages to the blueprint."""

    @views.get("/console")
    @views.get("/console/documents")
    def listing() -> Response:
        frame = frame_of(services)
        if frame.project is None:
            return page(frame, "no_project.html")
        values = request.args
        wanted: dict[str, Any] = {
            "stage": asking.choice(values, "stage", STAGES),
            "collection": asking.text(values, "collection", longest=200),
            "search": asking.text(values, "name"),
            "sort": asking.choice(values, "sort", tuple(record.SORTS)) or "uploaded",
        }
        offset = asking.number(values, "offset", 0, most=2**31 - 1)
        with services.sessions.begin() as session:
            found = record.overview(
                session, project_id=frame.project_id, limit=PER_PAGE, offset=offset, **wanted
            )
            stages = record.stages(session, frame.project_id)
            collections = record.collections(session, frame.project_id)
        return page(
            frame,
            "documents.html",
            active="documents",
            found=found,
            stages=stages,
            collections=collections,
            wanted=wanted,
            offset=offset,
            per_page=PER_PAGE,
            refresh=REFRESH_SECONDS if stages["processing"] else None,
        )

    @views.get("/console/documents/<uuid:document_id>")
    def one(document_id: UUID) -> Response:
        return _page_of(services, document_id)

    @views.post("/console/documents/<uuid:document_id>/retry")
    def retry(document_id: UUID) -> BaseResponse:
        frame = frame_of(services)
        by = asking.who(request, request.form) or "console"
        try:
            doing.retry_document(services, document_id, by=by)
        except BadRequest as error:
            return problem_page(frame, error)
        return redirect(f"/console/documents/{document_id}")


def _page_of(services: Services, document_id: UUID) -> Response:
    number = asking.number(request.args, "version", 0, most=2**31 - 1) or None
    wanted = request.args.get("show", "")
    with services.sessions.begin() as session:
        detail = detail_of(session, document_id)
        history = browse.history(session, document_id)
        version = _chosen(detail, number)
        shown = _layers(version)
        layer = next((one for one in shown if one.key == wanted), shown[0] if shown else None)
        if layer is not None and layer.kind == "prediction":
            rows = stored.values_of(session, int(layer.key[1:]))
            layer = layers.Layer(
                layer.key,
                layer.kind,
                layer.who,
                layer.at,
                layers.predicted(rows),
                layer.absent,
            )
        schema = projects.schema_of(session, detail.project.id, detail.project.schema_version)
    frame = Frame(services, frame_of(services).t, detail.project, frame_of(services).projects)
    fields = [(row.name, row.type, row.required) for row in schema]
    plain, tables = layers.grouped(layer.values if layer is not None else (), fields)
    key = services.settings.signing_key
    busy = detail.overview["stage"] == "processing" or any(
        job.state.value in _BUSY for job in version.jobs
    )
    return page(
        frame,
        "document.html",
        active="documents",
        detail=detail,
        version=version,
        images=[
            (image, page_path(key, version.version.id, image.page)) for image in version.images
        ],
        layers=shown,
        layer=layer,
        fields=plain,
        tables=tables,
        labels={row.name: (row.label_en, row.label_pt) for row in schema},
        moments=timeline.moments(detail.versions, history),
        task_url=frame.task_url(detail.overview["label_studio_task_id"]),
        refresh=REFRESH_SECONDS if busy else None,
    )


def _chosen(detail: Detail, number: int | None) -> VersionDetail:
    for version in detail.versions:
        if number is None or version.version.number == number:
            return version
    raise BadRequest("unknown_document", f"There is no version {number} of this document.", 404)


def _layers(version: VersionDetail) -> list[layers.Layer]:
    """What can be shown, the newest prediction first, then reviews, then older predictions; values of reviews only."""
    predictions = [
        layers.Layer(
            f"x{row.id}", "prediction", model.name, row.recorded_at, absent=dict(row.absent)
        )
        for row, model in version.extractions
    ]
    reviews = [
        layers.Layer(
            f"a{row.id}",
            "review",
            row.updated_by or row.created_by or "?",
            row.source_updated_at,
            layers.reviewed(version.annotated[row.last_event_id]),
            {str(name): None for name in row.absent},
            row.deleted_at is not None,
        )
        for row in version.annotations
    ]
    return predictions[:1] + reviews + predictions[1:]
