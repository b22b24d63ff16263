"""/api/documents: take in, list, look at, hand back, try again."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, jsonify, request

from db import documents as record
from ml_backend.documents_api import asking, intake
from ml_backend.documents_api.incoming import receive
from ml_backend.errors import BadRequest
from ml_backend.services import Services

SOURCES = ("api", "cli", "folder")


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
            if not form.files:
                raise BadRequest("no_files", "The form holds no file; name the fields 'files'.")
            results = intake.take(services, project.id, form.files, sender)
        return uploaded(results)

    @views.get("/api/documents")
    def listing() -> Response:
        with services.sessions.begin() as session:
            found = record.overview(session)
        return jsonify({"total": found.total, "documents": [row["document"] for row in found.rows]})


def uploaded(results: Sequence[intake.Taken]) -> Response:
    """201 if something is new, 200 if all was known, 207 if some were refused, 4xx or 503 if all were."""
    refusals = [result.error for result in results if result.error is not None]
    answer: dict[str, object] = {"files": [result.to_json() for result in results]}
    if len(refusals) == len(results):
        statuses = {error.status for error in refusals}
        status = statuses.pop() if len(statuses) == 1 else 422
        first = refusals[0]
        alone = len(results) == 1
        answer["error"] = {
            "code": first.code if alone else "all_refused",
            "message": str(first) if alone else f"All {len(results)} files were refused.",
        }
    elif refusals:
        status = 207
    else:
        known = all(result.outcome == record.Outcome.UNCHANGED for result in results)
        status = 200 if known else 201
    response = jsonify(answer)
    response.status_code = status
    return response
