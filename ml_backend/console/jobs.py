"""Background work: what failed and why, what is going on, and another try."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from db import browse
from ml_backend.console.documents import REFRESH_SECONDS
from ml_backend.console.frame import frame_of, page
from ml_backend.documents_api import asking, doing
from ml_backend.errors import BadRequest
from ml_backend.services import Services

PER_PAGE = 50
SHOWN: dict[str, tuple[str, ...] | None] = {
    "failed": ("failed",),
    "open": ("running", "queued"),
    "all": None,
}


def add(views: Blueprint, services: Services) -> None:
    """Add the pages to the blueprint."""

    @views.get("/console/jobs")
    def jobs() -> Response:
        return _jobs(services)

    @views.post("/console/jobs/<uuid:job_id>/retry")
    def retry_job(job_id: UUID) -> BaseResponse:
        by = asking.who(request, request.form) or "console"
        try:
            doing.retry_job(services, job_id, by=by)
        except BadRequest as error:
            return _jobs(services, error)
        return Response("", 303, {"Location": "/console/jobs?show=open&done=1"})


def _jobs(services: Services, error: BadRequest | None = None) -> Response:
    frame = frame_of(services)
    show = asking.choice(request.args, "show", tuple(SHOWN)) or "failed"
    offset = asking.number(request.args, "offset", 0, most=2**31 - 1)
    with services.sessions.begin() as session:
        counts = browse.job_counts(session)
        total, rows = browse.jobs(session, states=SHOWN[show], limit=PER_PAGE, offset=offset)
    return page(
        frame,
        "jobs.html",
        error.status if error is not None else 200,
        active="jobs",
        problem=error,
        notice=frame.t("jobs.retried") if request.args.get("done") else None,
        show=show,
        counts={
            name: sum(counts.get(state, 0) for state in states or counts)
            for name, states in SHOWN.items()
        },
        total=total,
        jobs=rows,
        offset=offset,
        per_page=PER_PAGE,
        refresh=REFRESH_SECONDS if show == "open" else None,
    )
