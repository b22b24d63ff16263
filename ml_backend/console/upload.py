"""Uploading from the browser: a form that works by itself; with a script it sends file by file and shows progress."""

from __future__ import annotations

from flask import Blueprint, Response, request

from db.documents import collections
from ml_backend.console.frame import frame_of, page, remember_name
from ml_backend.documents_api import asking, intake
from ml_backend.documents_api.documents import uploaded
from ml_backend.documents_api.incoming import receive
from ml_backend.errors import BadRequest, problem
from ml_backend.services import Services


def add(views: Blueprint, services: Services) -> None:
    """Add the pages to the blueprint."""

    @views.get("/console/upload")
    def upload_form() -> Response:
        frame = frame_of(services)
        if frame.project is None:
            return page(frame, "no_project.html")
        return _form(services)

    @views.post("/console/upload")
    def upload() -> Response:
        wants_json = request.accept_mimetypes.best == "application/json"
        frame = frame_of(services)
        try:
            with receive(request, max_file_bytes=services.settings.max_file_bytes) as form:
                by = asking.who(request, form.values)
                sender = intake.Sender(
                    by=by or "console",
                    source="api",
                    collection=asking.text(form.values, "collection", longest=200),
                    notes=asking.text(form.values, "notes"),
                )
                results = intake.take(services, frame.project_id, form.files, sender)
        except BadRequest as error:
            if wants_json:
                return problem(error.code, frame.t.reason(error.code, str(error)), error.status)
            return _form(services, error)
        if wants_json:
            return remember_name(_translated(results, services), by)
        answer = uploaded(results)
        return remember_name(_form(services, results=results, status=answer.status_code), by)

    def _translated(results: list[intake.Taken], services: Services) -> Response:
        """The API's answer with refusals in the reader's language."""
        t = frame_of(services).t
        for result in results:
            if result.error is not None:
                result.error.args = (t.reason(result.error.code, str(result.error)),)
        return uploaded(results)


def _form(
    services: Services,
    error: BadRequest | None = None,
    *,
    results: list[intake.Taken] | None = None,
    status: int = 200,
) -> Response:
    frame = frame_of(services)
    with services.sessions.begin() as session:
        known = collections(session, frame.project_id)
    return page(
        frame,
        "upload.html",
        error.status if error is not None else status,
        active="upload",
        problem=error,
        results=results or [],
        collections=known,
        limit=services.settings.max_file_bytes,
    )
