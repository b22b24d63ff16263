"""/api/documents: take in, list, look at, hand back, try again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from uuid import UUID

from flask import Blueprint, Response, request, send_file

from db import browse
from db import documents as record
from db.errors import BlobCorrupt, BlobMissing
from db.models import Document, Project, ReadingState
from ml_backend.documents_api import asking, doing, intake
from ml_backend.documents_api.detail import detail_of, to_json
from ml_backend.documents_api.incoming import receive
from ml_backend.documents_api.shapes import answer, listed, task_url
from ml_backend.errors import BadRequest
from ml_backend.services import Services

SOURCES = ("api", "cli", "folder")
STATES = tuple(state.value for state in ReadingState)
STAGES = tuple(stage.value for stage in record.Stage)


def add(views: Blueprint, services: Services) -> None:
    """Add the routes to the blueprint."""

    @views.post("/api/documents")
    def upload() -> Response:
        with receive(request, max_file_bytes=services.settings.max_file_bytes) as form:
            sender = intake.Sender(
                by=asking.who(request, form.values) or "api",
                source=asking.choice(form.values, "source", SOURCES) or "api",
                collection=asking.text(form.values, "collection", longest=200),
                notes=asking.text(form.values, "notes"),
            )
            with services.sessions.begin() as session:
                project = asking.project_of(session, form.values.get("project"))
            results = intake.take(services, project.id, form.files, sender)
        return uploaded(results)

    @views.get("/api/documents")
    def listing() -> Response:
        values = request.args
        limit = asking.number(values, "limit", 50, least=1, most=asking.MOST_ROWS)
        offset = asking.number(values, "offset", 0, most=2**31 - 1)
        reviewed = asking.choice(values, "reviewed", ("true", "false"))
        with services.sessions.begin() as session:
            named = values.get("project")
            project_id = asking.project_of(session, named).id if named else None
            found = record.overview(
                session,
                project_id=project_id,
                state=asking.choice(values, "state", STATES),
                stage=asking.choice(values, "stage", STAGES),
                collection=asking.text(values, "collection", longest=200),
                search=asking.text(values, "name", longest=intake.LONGEST_NAME),
                reviewed=None if reviewed is None else reviewed == "true",
                sort=asking.choice(values, "sort", tuple(record.SORTS)) or "uploaded",
                limit=limit,
                offset=offset,
            )
            ids = {row["project_id"] for row in found.rows}
            shown_as = {key: session.get_one(Project, key).label_studio_id for key in ids}
        settings = services.settings
        rows = [
            listed(
                row, task_url(settings, shown_as[row["project_id"]], row["label_studio_task_id"])
            )
            for row in found.rows
        ]
        return answer({"total": found.total, "limit": limit, "offset": offset, "documents": rows})

    @views.get("/api/documents/<uuid:document_id>")
    def detail(document_id: UUID) -> Response:
        all_values = asking.choice(request.args, "values", ("newest", "all")) == "all"
        with services.sessions.begin() as session:
            found = detail_of(session, document_id, all_values=all_values)
        return answer(to_json(services, found))

    @views.get("/api/documents/<uuid:document_id>/history")
    def history(document_id: UUID) -> Response:
        limit = asking.number(request.args, "limit", 200, least=1, most=asking.MOST_ROWS)
        offset = asking.number(request.args, "offset", 0, most=2**31 - 1)
        with services.sessions.begin() as session:
            doing.version_of(session, document_id, None)
            rows = browse.history(session, document_id, limit=limit, offset=offset)
        return answer({"limit": limit, "offset": offset, "history": rows})

    @views.get("/api/documents/<uuid:document_id>/file")
    def file(document_id: UUID) -> Response:
        number = asking.number(request.args, "version", 0, most=2**31 - 1) or None
        with services.sessions.begin() as session:
            version = doing.version_of(session, document_id, number)
            name = session.get_one(Document, document_id).name
        try:
            data = services.blobs.get(version.sha256)
        except (BlobMissing, BlobCorrupt) as error:
            raise BadRequest("file_lost", str(error), 410) from error
        response = send_file(
            io.BytesIO(data),
            mimetype=version.media_type,
            as_attachment=True,
            download_name=name,
            etag=version.sha256,
        )
        # It is somebody's file, not a page of ours: nothing in it may run here.
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    @views.post("/api/documents/<uuid:document_id>/retry")
    def retry(document_id: UUID) -> Response:
        values = asking.body(request)
        number = asking.number(values, "version", 0, most=2**31 - 1) or None
        by = asking.who(request, values) or "api"
        asked = doing.retry_document(services, document_id, by=by, number=number)
        return answer({"jobs": asked}, 202)


def uploaded(results: Sequence[intake.Taken]) -> Response:
    """201 if something is new, 200 if all was known, 207 if some were refused, 4xx or 503 if all were."""
    refusals = [result.error for result in results if result.error is not None]
    shape: dict[str, object] = {"files": [result.to_json() for result in results]}
    if len(refusals) == len(results):
        statuses = {error.status for error in refusals}
        status = statuses.pop() if len(statuses) == 1 else 422
        first = refusals[0]
        alone = len(results) == 1
        shape["error"] = {
            "code": first.code if alone else "all_refused",
            "message": str(first) if alone else f"All {len(results)} files were refused.",
        }
    elif refusals:
        status = 207
    else:
        known = all(result.outcome == record.Outcome.UNCHANGED for result in results)
        status = 200 if known else 201
    return answer(shape, status)
