"""Training and its history, and the model versions that came of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from db import browse, projects, registry, training_decisions
from ml_backend.console.advice import advise
from ml_backend.console.documents import REFRESH_SECONDS
from ml_backend.console.frame import frame_of, page, remember_name
from ml_backend.documents_api import asking, doing
from ml_backend.errors import BadRequest
from ml_backend.policy import Policy
from ml_backend.services import Services

PER_PAGE = 20


def add(views: Blueprint, services: Services) -> None:
    """Add the pages to the blueprint."""

    @views.get("/console/training")
    def training() -> Response:
        return _training(services)

    @views.post("/console/training")
    def start() -> BaseResponse:
        frame = frame_of(services)
        try:
            by = asking.who(request, request.form)
            notes = asking.text(request.form, "notes")
            doing.start_training(services, frame.project_id, by=by or "console", notes=notes)
        except BadRequest as error:
            return _training(services, error)
        return remember_name(_to("/console/training?done=1"), by)

    @views.get("/console/models")
    def models() -> Response:
        return _models(services)

    @views.post("/console/models/publish")
    def publish() -> BaseResponse:
        return _move(services, request.form.get("model", ""))

    @views.post("/console/models/rollback")
    def rollback() -> BaseResponse:
        return _move(services, None)


def _move(services: Services, name: str | None) -> BaseResponse:
    """Publish the version of this name, or without one go back; a named person with a note."""
    frame = frame_of(services)
    try:
        by, note = asking.decision(request, request.form)
        if name is None:
            doing.rollback(services, frame.project_id, by=by, note=note)
        else:
            doing.promote(services, frame.project_id, name, by=by, note=note)
    except BadRequest as error:
        return _models(services, error)
    return remember_name(_to("/console/models?done=1"), by)


def _to(address: str) -> Response:
    return Response("", 303, {"Location": address})


def _training(services: Services, error: BadRequest | None = None) -> Response:
    frame = frame_of(services)
    if frame.project is None:
        return page(frame, "no_project.html")
    decisions = request.args.get("decisions") == "1"
    offset = asking.number(request.args, "offset", 0, most=2**31 - 1)
    with services.sessions.begin() as session:
        total, runs = browse.training(
            session,
            frame.project_id,
            trained=None if decisions else True,
            limit=PER_PAGE,
            offset=offset,
        )
        ids = [row["training_run_id"] for row in runs if row["training_run_id"] is not None]
        measured = browse.run_figures(session, ids)
        notes = browse.run_notes(session, ids)
        progress = browse.progress(session, ids)
        live = _live(browse.models(session, frame.project_id))
        figures = browse.field_figures(session, [live["model_version_id"]] if live else [])
        schema = projects.schema_of(session, frame.project_id, frame.project.schema_version)
        situation = training_decisions.training_situation(session, frame.project_id)
    of_live = figures[live["model_version_id"]] if live else {}
    return page(
        frame,
        "training.html",
        error.status if error is not None else 200,
        active="training",
        problem=error,
        notice=frame.t("training.asked", reason="") if request.args.get("done") else None,
        total=total,
        runs=runs,
        measured=measured,
        notes=notes,
        progress=progress,
        offset=offset,
        per_page=PER_PAGE,
        decisions=decisions,
        live=live,
        of_live=of_live,
        advice=advise([(row.name, row.type) for row in schema], of_live),
        labels={row.name: (row.label_en, row.label_pt) for row in schema},
        order=[row.name for row in schema],
        situation=situation,
        policy=Policy.from_settings(frame.project.settings),
        refresh=REFRESH_SECONDS if situation.running or situation.queued else None,
    )


def _models(services: Services, error: BadRequest | None = None) -> Response:
    frame = frame_of(services)
    if frame.project is None:
        return page(frame, "no_project.html")
    with services.sessions.begin() as session:
        rows = browse.models(session, frame.project_id)
        live = _live(rows)
        figures = browse.field_figures(session, [row["model_version_id"] for row in rows])
        moves = browse.alias_moves(session, frame.project_id)
        before = registry.previous_live(session, frame.project_id)
        schema = projects.schema_of(session, frame.project_id, frame.project.schema_version)
    return page(
        frame,
        "models.html",
        error.status if error is not None else 200,
        active="models",
        problem=error,
        notice=frame.t("models.published", name=live["model_version"])
        if live is not None and request.args.get("done")
        else None,
        models=rows,
        figures=figures,
        moves=moves,
        live=live,
        before=before,
        labels={row.name: (row.label_en, row.label_pt) for row in schema},
        order=[row.name for row in schema],
    )


def _live(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((row for row in rows if row["is_live"]), None)
