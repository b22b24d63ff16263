"""/api/jobs: what is being done, what failed and why, and another try."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request

from db import browse
from db.models import JobState
from ml_backend.documents_api import asking, doing
from ml_backend.documents_api.shapes import answer, error_of
from ml_backend.services import Services

STATES = tuple(state.value for state in JobState)
_SHOWN = (
    "id",
    "kind",
    "subject",
    "state",
    "attempts",
    "max_attempts",
    "progress",
    "created_at",
    "created_by",
    "run_after",
    "started_at",
    "finished_at",
    "superseded",
)


def add(views: Blueprint, services: Services) -> None:
    """Add the routes to the blueprint."""

    @views.get("/api/jobs")
    def jobs() -> Response:
        limit = asking.number(request.args, "limit", 50, least=1, most=asking.MOST_ROWS)
        offset = asking.number(request.args, "offset", 0, most=2**31 - 1)
        state = asking.choice(request.args, "state", STATES)
        with services.sessions.begin() as session:
            named = request.args.get("project")
            total, rows = browse.jobs(
                session,
                project_id=asking.project_of(session, named).id if named else None,
                states=None if state is None else (state,),
                kind=asking.text(request.args, "kind", longest=100),
                limit=limit,
                offset=offset,
            )
        return answer(
            {"total": total, "limit": limit, "offset": offset, "jobs": [_job(row) for row in rows]}
        )

    @views.post("/api/jobs/<uuid:job_id>/retry")
    def retry_job(job_id: UUID) -> Response:
        values = asking.body(request)
        asked = doing.retry_job(services, job_id, by=asking.who(request, values) or "api")
        return answer({"job": asked}, 202)


def _job(row: dict[str, Any]) -> dict[str, Any]:
    document = None
    if row["document_id"] is not None:
        document = {"id": row["document_id"], "name": row["document"]}
    return {
        **{name: row[name] for name in _SHOWN},
        "error": error_of(row["error_code"], row["error"]),
        "document": document,
    }
